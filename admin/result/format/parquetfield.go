package format

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// field is a column in parquet.
type field struct {
	node  parquet.Node
	risky bool // a cell may have no value of this type
	wide  bool // a cell is longer than wideCell
	value valuer
}

// bytes reports whether values are as long as they like.
func (f *field) bytes() bool { return f.node.Type().Kind() == parquet.ByteArray }

// valuer makes the value of a cell. It may point into the cell or into
// scratch, which it returns grown.
type valuer func(scratch, cell []byte) (parquet.Value, []byte, bool)

// fieldOf picks the type of a column. Types without an exact twin are strings.
func fieldOf(c result.Column) field {
	k := c.Kind()
	switch k {
	case pgtext.Bool:
		return field{node: parquet.Leaf(parquet.BooleanType), risky: true, value: boolValue}
	case pgtext.Int2:
		return field{node: parquet.Int(16), risky: true, value: int32Value(16)}
	case pgtext.Int4:
		return field{node: parquet.Int(32), risky: true, value: int32Value(32)}
	case pgtext.Int8, pgtext.OID:
		return field{node: parquet.Int(64), risky: true, value: int64Value}
	case pgtext.Float4:
		return field{node: parquet.Leaf(parquet.FloatType), risky: true, value: float32Value}
	case pgtext.Float8:
		return field{node: parquet.Leaf(parquet.DoubleType), risky: true, value: float64Value}
	case pgtext.Numeric:
		return decimalField(c.Typmod)
	case pgtext.Date:
		return field{node: parquet.Date(), risky: true, value: dateValue}
	case pgtext.Timestamp, pgtext.Timestamptz:
		zoned := k == pgtext.Timestamptz
		return field{node: parquet.TimestampAdjusted(parquet.Microsecond, zoned), risky: true, value: timestampValue(k)}
	case pgtext.Bytea:
		return field{node: parquet.Leaf(brief{parquet.ByteArrayType}), risky: true, value: byteaValue}
	default:
		return stringField()
	}
}

func stringField() field {
	return field{node: parquet.Leaf(brief{parquet.String().Type()}), value: func(scratch, cell []byte) (parquet.Value, []byte, bool) {
		return parquet.ByteArrayValue(cell), scratch, true
	}}
}

func boolValue(scratch, cell []byte) (parquet.Value, []byte, bool) {
	yes := string(cell) == "t"
	return parquet.BooleanValue(yes), scratch, yes || string(cell) == "f"
}

func int32Value(bits int) valuer {
	return func(scratch, cell []byte) (parquet.Value, []byte, bool) {
		v, err := strconv.ParseInt(string(cell), 10, bits)
		return parquet.Int32Value(int32(v)), scratch, err == nil
	}
}

func int64Value(scratch, cell []byte) (parquet.Value, []byte, bool) {
	v, err := strconv.ParseInt(string(cell), 10, 64)
	return parquet.Int64Value(v), scratch, err == nil
}

func float32Value(scratch, cell []byte) (parquet.Value, []byte, bool) {
	v, ok := pgtext.ParseFloat(cell, 32)
	return parquet.FloatValue(float32(v)), scratch, ok
}

func float64Value(scratch, cell []byte) (parquet.Value, []byte, bool) {
	v, ok := pgtext.ParseFloat(cell, 64)
	return parquet.DoubleValue(v), scratch, ok
}

func dateValue(scratch, cell []byte) (parquet.Value, []byte, bool) {
	m, ok := pgtext.ParseMoment(pgtext.Date, cell)
	ok = ok && m.Inf == 0 && m.Days >= math.MinInt32 && m.Days <= math.MaxInt32
	return parquet.Int32Value(int32(m.Days)), scratch, ok
}

func timestampValue(k pgtext.Kind) valuer {
	return func(scratch, cell []byte) (parquet.Value, []byte, bool) {
		m, ok := pgtext.ParseMoment(k, cell)
		micros, fits := m.UnixMicros()
		return parquet.Int64Value(micros), scratch, ok && fits
	}
}

func byteaValue(scratch, cell []byte) (parquet.Value, []byte, bool) {
	if len(cell) < 2 || cell[0] != '\\' || cell[1] != 'x' {
		return parquet.Value{}, scratch, false
	}
	at := len(scratch)
	scratch, err := hex.AppendDecode(scratch, cell[2:])
	return parquet.ByteArrayValue(scratch[at:]), scratch, err == nil
}

// decimalField is a decimal if precision and scale are declared and fit, else
// a string: a numeric without them has digits without end.
func decimalField(typmod int32) field {
	precision, scale, ok := pgtext.NumericType(typmod)
	precision = max(precision, scale) // numeric(3,5) has five digits after the point
	if !ok || scale < 0 || precision < 1 || precision > 38 {
		return stringField()
	}
	switch {
	case precision <= 9:
		return field{node: parquet.Decimal(scale, precision, parquet.Int32Type), risky: true, value: func(scratch, cell []byte) (parquet.Value, []byte, bool) {
			v, ok := unscaled(cell, precision, scale)
			return parquet.Int32Value(int32(v)), scratch, ok
		}}
	case precision <= 18:
		return field{node: parquet.Decimal(scale, precision, parquet.Int64Type), risky: true, value: func(scratch, cell []byte) (parquet.Value, []byte, bool) {
			v, ok := unscaled(cell, precision, scale)
			return parquet.Int64Value(v), scratch, ok
		}}
	default:
		return field{node: parquet.Decimal(scale, precision, parquet.FixedLenByteArrayType(16)), risky: true, value: wideDecimal(precision, scale)}
	}
}

func unscaled(cell []byte, precision, scale int) (int64, bool) {
	n, ok := pgtext.ParseNumber(cell)
	if !ok || !n.Finite() || n.Whole()+scale > precision {
		return 0, false
	}
	return n.Unscaled(scale)
}

// wideDecimal writes sixteen bytes in two's complement.
func wideDecimal(precision, scale int) valuer {
	return func(scratch, cell []byte) (parquet.Value, []byte, bool) {
		n, ok := pgtext.ParseNumber(cell)
		if !ok || !n.Finite() || n.Scale() > scale || n.Whole()+scale > precision {
			return parquet.Value{}, scratch, false
		}
		var v big.Int
		if _, ok := v.SetString(string(n.Append(nil, scale)), 10); !ok {
			return parquet.Value{}, scratch, false
		}
		if v.Sign() < 0 {
			v.Add(&v, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		at := len(scratch)
		scratch = append(scratch, make([]byte, 16)...)
		v.FillBytes(scratch[at:])
		return parquet.FixedLenByteArrayValue(scratch[at:]), scratch, true
	}
}
