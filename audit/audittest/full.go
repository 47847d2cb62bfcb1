package audittest

import (
	"reflect"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Full returns an event with every stored field set. It does so by reflection:
// a field that is added is in it at once, and a store that forgets it fails.
// It panics on a field of a kind that no event had before.
func Full() audit.Event {
	var e audit.Event
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch x := v.Field(i).Addr().Interface().(type) {
		case *string:
			*x = "ä \"" + name + "\"\n"
		case *audit.Kind:
			*x = audit.KindOutcome
		case *[]string:
			*x = []string{name, "zwei"}
		case *[]audit.Tag:
			*x = []audit.Tag{{Key: "z", Value: "1"}, {Key: "a", Value: "2"}}
		case *time.Time:
			*x = noon().Add(123456 * time.Microsecond)
		case *time.Duration:
			*x = time.Duration(i)*time.Second + time.Duration(i)*time.Microsecond
		case *bool:
			*x = true
		case *int:
			*x = i
		case *int64:
			*x = int64(i) << 40
		case *uint32:
			*x = uint32(i)
		case *uint64:
			*x = uint64(i) << 40
		case *audit.ULID, *audit.Durability, *audit.FailMode: // given by the sink, or not stored
		default:
			panic("audittest: no value for field " + name)
		}
	}
	e.Version, e.Seq, e.Write, e.Chain = 0, 0, false, "" // the same
	return e
}
