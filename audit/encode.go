package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// MaxRecord bounds a stored record. An event that would be longer is stored
// with its texts and lists cut and text_truncated set.
const MaxRecord = 1 << 20

// MarshalJSON returns the stored form, without chain.
func (e Event) MarshalJSON() ([]byte, error) {
	return append(appendRecord(nil, &e), '}'), nil
}

// appendRecord appends the stored form of e up to but without the closing
// brace: the chain is still to come. It allocates nothing when b has room.
func appendRecord(b []byte, e *Event) []byte {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, Version, 10)
	b = append(b, `,"id":"`...)
	b, _ = e.ID.AppendText(b)
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"time":"`...)
	b = appendTime(b, e.Time)
	b = append(b, `","kind":`...)
	b = appendQuoted(b, string(e.Kind))
	b = appendPrincipal(b, e)
	b = appendStatement(b, e)
	b = appendMeasures(b, e)
	return appendOwn(b, e)
}

func appendPrincipal(b []byte, e *Event) []byte {
	b = appendString(b, `,"node":`, e.Node)
	b = appendString(b, `,"session":`, e.Session)
	b = appendString(b, `,"user":`, e.User)
	b = appendString(b, `,"auth_user":`, e.AuthUser)
	b = appendString(b, `,"team":`, e.Team)
	b = appendString(b, `,"tool":`, e.Tool)
	b = appendString(b, `,"job":`, e.Job)
	b = appendString(b, `,"workspace":`, e.Workspace)
	b = appendString(b, `,"actor":`, e.Actor)
	b = appendString(b, `,"via":`, e.Via)
	b = appendString(b, `,"run":`, e.Run)
	b = appendString(b, `,"token":`, e.Token)
	b = appendInt(b, `,"attempt":`, int64(e.Attempt))
	b = appendString(b, `,"client_addr":`, e.ClientAddr)
	b = appendString(b, `,"tls":`, e.TLS)
	b = appendString(b, `,"database":`, e.Database)
	b = appendString(b, `,"role":`, e.Role)
	b = appendString(b, `,"application_name":`, e.ApplicationName)
	return appendTags(b, e.Tags)
}

func appendStatement(b []byte, e *Event) []byte {
	b = appendString(b, `,"class":`, e.Class)
	b = appendString(b, `,"verdict":`, e.Verdict)
	b = appendList(b, `,"rules":`, e.Rules)
	b = appendString(b, `,"protocol":`, e.Protocol)
	b = appendUint(b, `,"statement_id":`, e.StatementID)
	b = appendString(b, `,"fingerprint":`, e.Fingerprint)
	b = appendList(b, `,"verbs":`, e.Verbs)
	b = appendList(b, `,"reads":`, e.Reads)
	b = appendList(b, `,"writes":`, e.Writes)
	b = appendList(b, `,"functions":`, e.Functions)
	b = appendResolved(b, e)
	b = appendString(b, `,"text":`, e.Text)
	b = appendInt(b, `,"text_bytes":`, e.TextBytes)
	b = appendFlag(b, `,"text_truncated":true`, e.TextTruncated)
	return appendList(b, `,"params":`, e.Params)
}

func appendResolved(b []byte, e *Event) []byte {
	b = appendList(b, `,"resolved_reads":`, e.ResolvedReads)
	b = appendList(b, `,"resolved_writes":`, e.ResolvedWrites)
	b = appendList(b, `,"resolved_functions":`, e.ResolvedFunctions)
	b = appendFlag(b, `,"expanded":true`, e.Expanded)
	b = appendFlag(b, `,"unread":true`, e.Unread)
	return appendFlag(b, `,"temp":true`, e.Temp)
}

func appendFlag(b []byte, text string, on bool) []byte {
	if !on {
		return b
	}
	return append(b, text...)
}

func appendMeasures(b []byte, e *Event) []byte {
	b = appendMillis(b, `,"queue_ms":`, e.Queue)
	b = appendMillis(b, `,"exec_ms":`, e.Exec)
	b = appendMillis(b, `,"first_row_ms":`, e.FirstRow)
	b = appendMillis(b, `,"send_ms":`, e.Send)
	b = appendMillis(b, `,"lock_wait_ms":`, e.LockWait)
	b = appendInt(b, `,"rows":`, e.Rows)
	b = appendInt(b, `,"bytes_out":`, e.BytesOut)
	b = appendInt(b, `,"bytes_in":`, e.BytesIn)
	b = appendString(b, `,"tag":`, e.Tag)
	b = appendString(b, `,"sqlstate":`, e.SQLState)
	b = appendString(b, `,"stop":`, e.Stop)
	b = appendString(b, `,"tx":`, e.Tx)
	b = appendUint(b, `,"tx_id":`, e.TxID)
	return appendUint(b, `,"backend_pid":`, uint64(e.BackendPID))
}

func appendOwn(b []byte, e *Event) []byte {
	b = appendString(b, `,"waiter":`, e.Waiter)
	b = appendString(b, `,"holder":`, e.Holder)
	b = appendList(b, `,"relations":`, e.Relations)
	b = appendMillis(b, `,"held_ms":`, e.Held)
	b = appendMillis(b, `,"idle_ms":`, e.Idle)
	b = appendString(b, `,"mode":`, e.Mode)
	b = appendString(b, `,"reason":`, e.Reason)
	b = appendString(b, `,"what":`, e.What)
	b = appendString(b, `,"hash":`, e.Hash)
	b = appendUint(b, `,"lost":`, e.Lost)
	b = appendString(b, `,"target":`, e.Target)
	b = appendString(b, `,"grantee":`, e.Grantee)
	b = appendInt(b, `,"offset":`, e.Offset)
	return appendString(b, `,"message":`, e.Message)
}

func appendString(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendQuoted(append(b, key...), s)
}

func appendInt(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, key...), n, 10)
}

func appendUint(b []byte, key string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(append(b, key...), n, 10)
}

func appendList(b []byte, key string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(append(b, key...), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, s)
	}
	return append(b, ']')
}

// appendTags writes an object, in the order in which the tags came.
func appendTags(b []byte, tags []Tag) []byte {
	if len(tags) == 0 {
		return b
	}
	b = append(b, `,"tags":{`...)
	for i, t := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, t.Key), ':')
		b = appendQuoted(b, t.Value)
	}
	return append(b, '}')
}

// appendMillis writes milliseconds with up to three decimals. A duration below
// a microsecond, or below zero, is empty.
func appendMillis(b []byte, key string, d time.Duration) []byte {
	us := d.Microseconds()
	if us <= 0 {
		return b
	}
	b = strconv.AppendInt(append(b, key...), us/1000, 10)
	frac := us % 1000
	if frac == 0 {
		return b
	}
	b = append(b, '.', '0'+byte(frac/100))
	if frac %= 100; frac == 0 {
		return b
	}
	b = append(b, '0'+byte(frac/10))
	if frac %= 10; frac == 0 {
		return b
	}
	return append(b, '0'+byte(frac))
}

// appendTime writes UTC with microseconds, always in the same width, so that
// stored times compare as text. Years outside 1..9999 become the zero time.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 1 || year > 9999 {
		return append(b, "0001-01-01T00:00:00.000000Z"...)
	}
	hour, minute, second := t.Clock()
	b = append(b, '0'+byte(year/1000), '0'+byte(year/100%10))
	b = appendTwo(b, year%100)
	b = appendTwo(append(b, '-'), int(month))
	b = appendTwo(append(b, '-'), day)
	b = appendTwo(append(b, 'T'), hour)
	b = appendTwo(append(b, ':'), minute)
	b = appendTwo(append(b, ':'), second)
	us := t.Nanosecond() / 1000
	b = appendTwo(append(b, '.'), us/10000)
	b = appendTwo(b, us/100%100)
	b = appendTwo(b, us%100)
	return append(b, 'Z')
}

func appendTwo(b []byte, n int) []byte {
	return append(b, '0'+byte(n/10), '0'+byte(n%10))
}

const hexDigits = "0123456789abcdef"

// appendQuoted writes s as a JSON string, the way encoding/json does without
// HTML escapes: what is not UTF-8 becomes U+FFFD, so a line is always valid.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && plainEight(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			b = appendEscaped(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
		case r == '\u2028' || r == '\u2029': // line ends for some readers of JSON
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xf])
		default:
			i += size
			continue
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// plainEight reports whether eight bytes stand for themselves in a JSON string:
// ASCII from the space on, no quote, no backslash. It may say no for some that
// do; the slow way then finds out.
func plainEight(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | // one load
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	control := x - ones*' '
	quote := (x ^ ones*'"') - ones
	backslash := (x ^ ones*'\\') - ones
	return (x|control|quote|backslash)&tops == 0
}

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
}
