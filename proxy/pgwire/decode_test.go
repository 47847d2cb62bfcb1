package pgwire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgproto3/v2"
)

// bodyOf encodes with pgproto3 and cuts the head off.
func bodyOf(t *testing.T, m pgproto3.Message) []byte {
	t.Helper()
	b, err := m.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b[HeadSize:]
}

func TestDecodeWhatPgproto3Encodes(t *testing.T) {
	t.Parallel()
	check := func(what string, ok bool, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: ok %v, -want +got\n%s", what, ok, diff)
		}
	}
	sql, ok := Query(bodyOf(t, &pgproto3.Query{String: "select 1"}))
	check("Query", ok, string(sql), "select 1")
	name, sql, ok := Parse(bodyOf(t, &pgproto3.Parse{Name: "s", Query: "q", ParameterOIDs: []uint32{1, 2}}))
	check("Parse", ok, []string{string(name), string(sql)}, []string{"s", "q"})
	portal, stmt, ok := Bind(bodyOf(t, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s"}))
	check("Bind", ok, []string{string(portal), string(stmt)}, []string{"p", "s"})
	portal, rows, ok := Execute(bodyOf(t, &pgproto3.Execute{Portal: "p", MaxRows: 9}))
	check("Execute", ok, []any{string(portal), rows}, []any{"p", uint32(9)})
	kind, name, ok := Target(bodyOf(t, &pgproto3.Describe{ObjectType: 'S', Name: "s"}))
	check("Describe", ok, []any{kind, string(name)}, []any{byte('S'), "s"})
	oid, ok := FunctionOID(bodyOf(t, &pgproto3.FunctionCall{Function: 1397}))
	check("FunctionCall", ok, oid, uint32(1397))
	key, value, ok := ParameterStatus(bodyOf(t, &pgproto3.ParameterStatus{Name: "TimeZone", Value: "UTC"}))
	check("ParameterStatus", ok, []string{string(key), string(value)}, []string{"TimeZone", "UTC"})
	failure := bodyOf(t, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "m", Detail: "d"})
	check("SQLState", true, SQLState(failure), "57014")
	detail, ok := Field(failure, 'D')
	check("detail", ok, string(detail), "d")
	if _, ok := Field(failure, 'H'); ok {
		t.Error("a hint that is not there")
	}
	check("tag", true, string(CommandTag(bodyOf(t, &pgproto3.CommandComplete{CommandTag: []byte("INSERT 0 5")}))), "INSERT 0 5")
}

func TestBindValues(t *testing.T) {
	t.Parallel()
	type value struct {
		Text bool
		Data []byte
	}
	for _, tc := range []struct {
		formats []int16
		params  [][]byte
		want    []value
	}{
		{nil, nil, nil},
		{nil, [][]byte{[]byte("a"), nil, {}}, []value{{true, []byte("a")}, {true, nil}, {true, []byte{}}}},
		{[]int16{1}, [][]byte{[]byte("a"), []byte("b")}, []value{{false, []byte("a")}, {false, []byte("b")}}},
		{[]int16{0, 1}, [][]byte{[]byte("a"), []byte("b")}, []value{{true, []byte("a")}, {false, []byte("b")}}},
	} {
		body := bodyOf(t, &pgproto3.Bind{ParameterFormatCodes: tc.formats, Parameters: tc.params})
		var got []value
		ok := BindValues(body, func(i int, text bool, v []byte) bool {
			if i != len(got) {
				t.Errorf("index %d, want %d", i, len(got))
			}
			got = append(got, value{text, v})
			return true
		})
		if diff := cmp.Diff(tc.want, got); !ok || diff != "" {
			t.Errorf("%v %q: ok %v, -want +got\n%s", tc.formats, tc.params, ok, diff)
		}
	}
	calls := 0
	body := bodyOf(t, &pgproto3.Bind{Parameters: [][]byte{{1}, {2}, {3}}})
	if !BindValues(body, func(int, bool, []byte) bool { calls++; return false }) || calls != 1 {
		t.Errorf("stopped after %d values", calls)
	}
	negative := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0, 0, 1}, 0xfffffffe)
	if BindValues(negative, func(int, bool, []byte) bool { return true }) {
		t.Error("a value of length -2 is sound")
	}
}

func TestTagRows(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]int64{
		"SELECT 10": 10, "INSERT 0 5": 5, "COPY 0": 0, "SELECT": -1, "BEGIN": -1, "CREATE TABLE": -1, "": -1, " ": -1, "SELECT ": -1,
		"SELECT 999999999999999999": 999999999999999999, "SELECT 99999999999999999999": -1, "SELECT -1": -1,
	} {
		if got := TagRows([]byte(tag)); got != want {
			t.Errorf("%q: %d, want %d", tag, got, want)
		}
	}
}

// TestEncodersAgainstPgproto3 lets the other side read what we write.
func TestEncodersAgainstPgproto3(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		got  []byte
		into pgproto3.Message
		want pgproto3.Message
	}{
		{AppendQuery(nil, "q"), &pgproto3.Query{}, &pgproto3.Query{String: "q"}},
		{AppendParse(nil, "s", "q"), &pgproto3.Parse{}, &pgproto3.Parse{Name: "s", Query: "q"}},
		{AppendBind(nil, "p", "s"), &pgproto3.Bind{}, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ResultFormatCodes: []int16{}}},
		{AppendExecute(nil, "p"), &pgproto3.Execute{}, &pgproto3.Execute{Portal: "p"}},
		{AppendTarget(nil, MsgDescribe, 'S', "s"), &pgproto3.Describe{}, &pgproto3.Describe{ObjectType: 'S', Name: "s"}},
		{AppendTarget(nil, MsgClose, 'P', "p"), &pgproto3.Close{}, &pgproto3.Close{ObjectType: 'P', Name: "p"}},
		{AppendEmpty(nil, MsgSync), &pgproto3.Sync{}, &pgproto3.Sync{}},
		{AppendCommandComplete(nil, "SELECT 1"), &pgproto3.CommandComplete{}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}},
		{AppendReady(nil, TxFailed), &pgproto3.ReadyForQuery{}, &pgproto3.ReadyForQuery{TxStatus: 'E'}},
		{AppendParameterStatus(nil, Param{"a", "b"}), &pgproto3.ParameterStatus{}, &pgproto3.ParameterStatus{Name: "a", Value: "b"}},
		{AppendBackendKeyData(nil, 7, []byte{0, 0, 0, 9}), &pgproto3.BackendKeyData{}, &pgproto3.BackendKeyData{ProcessID: 7, SecretKey: 9}},
		{AppendAuthentication(nil, AuthOK, nil), &pgproto3.AuthenticationOk{}, &pgproto3.AuthenticationOk{}},
		{AppendAuthentication(nil, AuthMD5Password, []byte("salt")), &pgproto3.AuthenticationMD5Password{}, &pgproto3.AuthenticationMD5Password{Salt: [4]byte([]byte("salt"))}},
		{AppendFrame(nil, MsgCopyData, []byte("x")), &pgproto3.CopyData{}, &pgproto3.CopyData{Data: []byte("x")}},
	} {
		if n := binary.BigEndian.Uint32(tc.got[1:]); int(n)+1 != len(tc.got) {
			t.Errorf("%T: length %d of %d bytes", tc.want, n, len(tc.got))
		}
		if err := tc.into.Decode(tc.got[HeadSize:]); err != nil {
			t.Errorf("%T: %v", tc.want, err)
			continue
		}
		if diff := cmp.Diff(tc.want, tc.into); diff != "" {
			t.Errorf("%T: -want +got\n%s", tc.want, diff)
		}
	}
}

func TestNoticeKeepsItsFields(t *testing.T) {
	t.Parallel()
	n := &Notice{Severity: "ERROR", Code: "42501", Message: "no\x00CXX000", Detail: "d", Hint: "h", Routine: "lockkeeper.rule", Rule: "pii"}
	var got pgproto3.ErrorResponse
	if err := got.Decode(AppendError(nil, n)[HeadSize:]); err != nil {
		t.Fatal(err)
	}
	want := pgproto3.ErrorResponse{
		Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42501", Message: "noCXX000",
		Detail: "d", Hint: "h", Routine: "lockkeeper.rule", ConstraintName: "pii",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	prefix := []byte("before")
	if out := AppendNotice(bytes.Clone(prefix), &Notice{Severity: "NOTICE", Code: "00000", Message: "m"}); out[len(prefix)] != MsgNoticeResponse {
		t.Errorf("notice: %q", out)
	}
}

func TestNegotiateVersion(t *testing.T) {
	t.Parallel()
	got := AppendNegotiateVersion(nil, ProtocolVersion30, []string{"_pq_.a", "_pq_.b"})
	want := "v\x00\x00\x00\x1a\x00\x03\x00\x00\x00\x00\x00\x02_pq_.a\x00_pq_.b\x00"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTagSets(t *testing.T) {
	t.Parallel()
	var frontend, small strings.Builder
	for tag := range 256 {
		if FrontendMessage(byte(tag)) {
			frontend.WriteByte(byte(tag))
		}
		if SmallMessage(byte(tag)) {
			small.WriteByte(byte(tag))
		}
	}
	if frontend.String() != "BCDEFHPQSXcdfp" || small.String() != "CDEHSXcf" {
		t.Errorf("frontend %s, small %s", frontend.String(), small.String())
	}
}
