package pgtext_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// ordered are values of each type that is compared, in no order.
func ordered() map[string][]string {
	return map[string][]string{
		"numeric": {
			"0", "-0.00", "0.1", "0.10", "-0.1", "1", "10", "9", "-9", "-10", "99999999999999999999999999.1", "99999999999999999999999999.09",
			"NaN", "Infinity", "-Infinity", "0.0000000000000000000000001", "-0.0000000000000000000000001", "1e50", "-1e50", "123.456",
		},
		"int8":   {"9223372036854775807", "-9223372036854775808", "9007199254740993", "9007199254740992", "0", "-1"},
		"float8": {"NaN", "Infinity", "-Infinity", "0", "-0", "1e-300", "-1e300", "1e300", "0.1", "0.30000000000000004", "5e-324"},
		"date":   {"2026-09-20", "0044-03-15 BC", "0001-01-01", "0001-12-31 BC", "infinity", "-infinity", "5874897-12-31", "4713-01-01 BC", "2000-02-29", "1900-03-01", "1970-01-01"},
		"timestamp": {
			"2026-09-20 23:59:59", "2026-09-20 23:59:59.000001", "294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC", "infinity", "-infinity", "1969-12-31 23:59:59.5", "2026-09-20 24:00:00",
		},
		"timestamptz": {"2026-09-20 23:59:59+00", "2026-09-21 01:59:59+02", "2026-09-20 20:00:00-08:30", "0044-03-15 12:00:00+00 BC", "infinity", "-infinity", "1850-01-01 00:00:00+00"},
		"interval": {
			"1 mon", "30 days", "29 days 24:00:00", "-1 days", "1 year", "360 days", "361 days", "00:00:00.000001", "-00:00:00.000001", "100000:00:00", "-3 days +04:05:06.789", "0", "1 year -1 mon",
		},
		"uuid": {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		"bool": {"true", "false"},
		"time": {"10:00:00", "10:00:00.5", "24:00:00", "00:00:00"},
	}
}

// Postgres is the oracle: of each pair of values it says which is the greater.
func TestOrder(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	conn := pg.Super(t).PgConn()
	for typ, values := range ordered() {
		sql := fmt.Sprintf(`set timezone='Europe/Madrid'; with v as (select x::%s from unnest(array['%s']) x)
			select a.x, b.x, '%[1]s'::regtype::oid, case when a.x < b.x then -1 when a.x > b.x then 1 else 0 end from v a, v b`, typ, strings.Join(values, "','"))
		results, err := conn.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range results[1].Rows {
			oid, err := strconv.Atoi(string(row[2]))
			if err != nil {
				t.Fatal(err)
			}
			k := pgtext.KindOf(uint32(oid))
			a, ok1 := pgtext.Parse(k, row[0])
			b, ok2 := pgtext.Parse(k, row[1])
			if !ok1 || !ok2 {
				t.Fatalf("%s: %q or %q does not read", typ, row[0], row[1])
			}
			if got := strconv.Itoa(pgtext.Compare(k, a, b)); got != string(row[3]) {
				t.Errorf("%s: %s against %s: got %s, Postgres says %s", typ, row[0], row[1], got, row[3])
			}
			ka, _ := pgtext.AppendKey(nil, k, row[0])
			kb, _ := pgtext.AppendKey(nil, k, row[1])
			if got := strconv.Itoa(bytes.Compare(ka, kb)); got != string(row[3]) {
				t.Errorf("%s: keys of %s against %s: got %s, Postgres says %s", typ, row[0], row[1], got, row[3])
			}
		}
	}
}

// The calendar is Postgres' own, in both directions.
func TestCalendar(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	results, err := pg.Super(t).PgConn().Exec(t.Context(), `select d, d - date '1970-01-01', date_trunc('week', d)::date
		from (select date '4713-01-01 BC' + n * 3001 as d from generate_series(0, 5000) n) x`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range results[0].Rows {
		m, ok := pgtext.ParseMoment(pgtext.Date, row[0])
		if !ok || strconv.FormatInt(m.Days, 10) != string(row[1]) {
			t.Fatalf("%s is day %d, Postgres says %s", row[0], m.Days, row[1])
		}
		if got := m.AppendDate(nil); !bytes.Equal(got, row[0]) {
			t.Fatalf("%s is written %s", row[0], got)
		}
	}
}

func TestNumericType(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	results, err := pg.Super(t).PgConn().Exec(t.Context(), `select null::numeric, null::numeric(10,2), null::numeric(2,-3), null::numeric(3,5), null::numeric(1000,1000)`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]int{{-1, -1}, {10, 2}, {2, -3}, {3, 5}, {1000, 1000}}
	for i, f := range results[0].FieldDescriptions {
		p, s, ok := pgtext.NumericType(f.TypeModifier)
		if ok != (i > 0) || ok && (p != want[i][0] || s != want[i][1]) {
			t.Errorf("got numeric(%d,%d) %v, want %v", p, s, ok, want[i])
		}
	}
}

func TestNotAValue(t *testing.T) {
	t.Parallel()
	for k, cells := range map[pgtext.Kind][]string{
		pgtext.Numeric:     {"", "-", ".", "1.", "1e5", "0x1", " 1", "1 ", "nan", "--1", "1.2.3"},
		pgtext.Float8:      {"", "0x1p3", "1_0", "inf", "nan", "1e", strings.Repeat("1", 65)},
		pgtext.Date:        {"", "20/09/2026", "2026-13-01", "2026-02-29", "2026-09-20 10:00:00", "0000-01-01", "-2026-01-01", "99999999-01-01"},
		pgtext.Timestamp:   {"2026-09-20", "2026-09-20 25:00:00", "2026-09-20 10:00", "2026-09-20 10:00:00.", "2026-09-20 10:00:00.1234567", "2026-09-20 10:00:00+02"},
		pgtext.Timestamptz: {"2026-09-20 10:00:00", "2026-09-20 10:00:00+2", "2026-09-20 10:00:00+02:60", "2026-09-20 10:00:00 CET"},
		pgtext.Interval:    {"", "P1Y", "1", "1 fortnight", "1:2", ":00:00", "1 day 2"},
		pgtext.Bool:        {"", "true", "T"},
	} {
		for _, cell := range cells {
			if _, ok := pgtext.Parse(k, []byte(cell)); ok {
				t.Errorf("kind %d: %q reads", k, cell)
			}
		}
	}
}

// For any two cells: no panic, and the keys say what the values say, also in a
// row of keys.
func FuzzKeys(f *testing.F) {
	for _, values := range ordered() {
		for _, v := range values {
			f.Add(v, values[0], uint8(9))
		}
	}
	f.Fuzz(func(t *testing.T, a, b string, kind uint8) {
		for k := pgtext.Other; k <= pgtext.Bytea; k++ {
			va, ok1 := pgtext.Parse(k, []byte(a))
			vb, ok2 := pgtext.Parse(k, []byte(b))
			ka, ok3 := pgtext.AppendKey(nil, k, []byte(a))
			kb, ok4 := pgtext.AppendKey(nil, k, []byte(b))
			if ok1 != ok3 || ok2 != ok4 {
				t.Fatal("a value and its key do not agree")
			}
			if !ok1 || !ok2 {
				continue
			}
			want := pgtext.Compare(k, va, vb)
			if got := bytes.Compare(ka, kb); got != want {
				t.Fatalf("kind %d: %q against %q: keys say %d, values %d", k, a, b, got, want)
			}
			if want != 0 && bytes.Compare(append(ka, kind), append(kb, ^kind)) != want {
				t.Fatalf("kind %d: %q against %q: what follows changes the order", k, a, b)
			}
		}
	})
}
