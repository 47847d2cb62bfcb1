package api

import (
	"reflect"
	"time"
)

// dense returns a copy of a body in which no list and no map is null and every
// time is UTC with milliseconds, as the API promises. What is shared stays as it
// is.
func dense(body any) any {
	v := reflect.ValueOf(body)
	if !v.IsValid() {
		return body
	}
	return densely(v).Interface()
}

func densely(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		return denseStruct(v)
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(densely(v.Elem()))
		return out
	case reflect.Slice:
		return denseSlice(v)
	case reflect.Map:
		if v.IsNil() {
			return reflect.MakeMap(v.Type())
		}
		return v
	default:
		return v
	}
}

func denseStruct(v reflect.Value) reflect.Value {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		return reflect.ValueOf(t.UTC().Truncate(time.Millisecond))
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			out.Field(i).Set(densely(v.Field(i)))
		}
	}
	return out
}

func denseSlice(v reflect.Value) reflect.Value {
	elem := v.Type().Elem()
	if elem.Kind() == reflect.Uint8 {
		return v // bytes, or raw JSON where null has a meaning
	}
	if v.IsNil() {
		return reflect.MakeSlice(v.Type(), 0, 0)
	}
	if elem.Kind() != reflect.Struct && elem.Kind() != reflect.Pointer {
		return v
	}
	if elem.Kind() == reflect.Pointer && elem.Elem().Kind() != reflect.Struct {
		return v
	}
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i := range v.Len() {
		out.Index(i).Set(densely(v.Index(i)))
	}
	return out
}
