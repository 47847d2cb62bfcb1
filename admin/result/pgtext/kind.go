package pgtext

// Kind is a type as far as the office tells types apart.
type Kind uint8

// The kinds. Other is everything else: arrays, enums, ranges, geometry.
const (
	Other Kind = iota
	Text
	Bool
	Int2
	Int4
	Int8
	OID
	Float4
	Float8
	Numeric
	Date
	Time
	Timetz
	Timestamp
	Timestamptz
	Interval
	UUID
	JSON
	JSONB
	Bytea
)

// KindOf returns the kind of the type with an OID of pg_type. The numbers are
// fixed by Postgres and shared by Redshift.
func KindOf(oid uint32) Kind {
	switch oid {
	case 16:
		return Bool
	case 17:
		return Bytea
	case 18, 19, 25, 705, 1042, 1043: // "char", name, text, unknown, bpchar, varchar
		return Text
	case 20:
		return Int8
	case 21:
		return Int2
	case 23:
		return Int4
	case 26:
		return OID
	case 114:
		return JSON
	case 700:
		return Float4
	case 701:
		return Float8
	case 1082:
		return Date
	case 1083:
		return Time
	case 1114:
		return Timestamp
	case 1184:
		return Timestamptz
	case 1186:
		return Interval
	case 1266:
		return Timetz
	case 1700:
		return Numeric
	case 2950:
		return UUID
	case 3802:
		return JSONB
	default:
		return Other
	}
}

// Float tells whether values are binary floating point.
func (k Kind) Float() bool { return k == Float4 || k == Float8 }

// Integer tells whether values are whole numbers of bounded size.
func (k Kind) Integer() bool { return k == Int2 || k == Int4 || k == Int8 || k == OID }

// Exact tells whether values are decimal numbers without rounding.
func (k Kind) Exact() bool { return k.Integer() || k == Numeric }

// Number tells whether values can be added up.
func (k Kind) Number() bool { return k.Exact() || k.Float() }

// Day tells whether values lie on a calendar.
func (k Kind) Day() bool { return k == Date || k == Timestamp || k == Timestamptz }

// NumericType reads precision and scale from the type modifier of a numeric
// column; ok is false if it declares none.
func NumericType(typmod int32) (precision, scale int, ok bool) {
	if typmod < 4 {
		return 0, 0, false
	}
	m := typmod - 4
	// The scale is a signed number of eleven bits.
	return int(m>>16) & 0xffff, int(m&0x7ff^0x400) - 0x400, true
}
