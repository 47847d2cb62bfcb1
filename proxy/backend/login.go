package backend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// maxLogin bounds all that a server may say before it is ready, in bytes.
const maxLogin = 1 << 20

// handshake is a login under way.
type handshake struct {
	c        *Conn
	login    pgauth.Login
	endPoint []byte
	cache    *pgauth.KeyCache
	local    bool

	scram *pgauth.ScramClient
	owed  bool // the server has yet to prove that it knows the password
	let   bool // AuthenticationOk came
	said  int  // bytes so far
}

// run speaks from the StartupMessage to the first ReadyForQuery.
func (h *handshake) run(params []pgwire.Param) error {
	if err := h.send(pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, params)); err != nil {
		return err
	}
	r := h.c.Reader
	for {
		tag, size, err := r.Next()
		if err != nil {
			return h.broken(err)
		}
		if h.said += size; h.said > maxLogin {
			return fmt.Errorf("log in: %w: more than %d bytes before it is ready", ErrProtocol, maxLogin)
		}
		frame, err := r.Frame(size, maxLogin)
		if err != nil {
			return h.broken(err)
		}
		ready, err := h.message(tag, frame)
		r.Discard(size)
		if err != nil || ready {
			return err
		}
	}
}

func (h *handshake) broken(err error) error {
	if errors.Is(err, pgwire.ErrLength) {
		return fmt.Errorf("log in: %w: %w", ErrProtocol, err)
	}
	return fmt.Errorf("log in: %w: %w", ErrUnreachable, err)
}

func (h *handshake) send(p []byte) error {
	if _, err := h.c.Write(p); err != nil {
		return fmt.Errorf("log in: %w: %w", ErrUnreachable, err)
	}
	return nil
}

// message takes one message of the server.
func (h *handshake) message(tag byte, frame []byte) (ready bool, err error) {
	body := frame[pgwire.HeadSize:]
	switch tag {
	case pgwire.MsgErrorResponse:
		return false, newServerError(frame)
	case pgwire.MsgNoticeResponse:
		h.c.Notices = append(h.c.Notices, bytes.Clone(frame))
		return false, nil
	case pgwire.MsgNegotiateProtocolVersion:
		return false, nil // we asked for 3.0 and no option: there is nothing to give up
	case pgwire.MsgAuthentication:
		return false, h.authentication(body)
	}
	if !h.let {
		return false, fmt.Errorf("log in: %w: message %q before it let us in", ErrProtocol, tag)
	}
	switch tag {
	case pgwire.MsgParameterStatus:
		return false, h.parameter(body)
	case pgwire.MsgBackendKeyData:
		if len(body) < 8 || len(body)-4 > pgwire.MaxCancelKey {
			return false, fmt.Errorf("log in: %w: key of %d bytes", ErrProtocol, len(body))
		}
		h.c.PID, h.c.Key = binary.BigEndian.Uint32(body), bytes.Clone(body[4:])
		return false, nil
	case pgwire.MsgReadyForQuery:
		if len(body) != 1 {
			return false, fmt.Errorf("log in: %w: ready without a state", ErrProtocol)
		}
		h.c.Status = body[0]
		h.finish()
		return true, nil
	}
	return false, fmt.Errorf("log in: %w: message %q before it is ready", ErrProtocol, tag)
}

func (h *handshake) parameter(body []byte) error {
	name, value, ok := pgwire.ParameterStatus(body)
	if !ok {
		return fmt.Errorf("log in: %w: malformed parameter", ErrProtocol)
	}
	h.c.setParam(string(name), string(value))
	return nil
}

func (h *handshake) finish() {
	_, h.c.Redshift = h.c.Param("padb_version")
	version, _ := h.c.Param("server_version")
	h.c.VersionNum = versionNum(version)
}

// authentication answers one request.
func (h *handshake) authentication(body []byte) error {
	if len(body) < 4 || h.let {
		return fmt.Errorf("log in: %w: misplaced authentication request", ErrProtocol)
	}
	code, data := binary.BigEndian.Uint32(body), body[4:]
	switch code {
	case pgwire.AuthOK:
		if h.owed { // somebody between us and the server could say that
			return fmt.Errorf("log in: %w", pgauth.ErrServer)
		}
		h.let = true
		return nil
	case pgwire.AuthCleartextPassword, pgwire.AuthMD5Password, pgwire.AuthSASL:
		if h.login.Password.IsZero() {
			return ErrNoPassword
		}
	case pgwire.AuthSASLContinue, pgwire.AuthSASLFinal:
		if h.scram == nil {
			return fmt.Errorf("log in: %w: SASL answer without a question", ErrProtocol)
		}
	default:
		return fmt.Errorf("%w: %d", ErrAuthMethod, code)
	}
	return h.answer(code, data)
}

func (h *handshake) answer(code uint32, data []byte) error {
	switch code {
	case pgwire.AuthCleartextPassword:
		if !h.c.TLS && !h.local {
			return ErrClear
		}
		return h.send(pgwire.AppendString(nil, pgwire.MsgPassword, h.login.Password.Reveal()))
	case pgwire.AuthMD5Password:
		if len(data) != 4 {
			return fmt.Errorf("log in: %w: md5 salt of %d bytes", ErrProtocol, len(data))
		}
		return h.send(pgwire.AppendString(nil, pgwire.MsgPassword, pgauth.MD5Response(h.login.User, h.login.Password, data)))
	case pgwire.AuthSASL:
		return h.sasl(data)
	case pgwire.AuthSASLContinue:
		final, err := h.scram.Final(data)
		if err != nil {
			return fmt.Errorf("log in: %w: %w", ErrProtocol, err)
		}
		return h.send(pgwire.AppendFrame(nil, pgwire.MsgPassword, final))
	}
	if err := h.scram.Verify(data); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	h.owed = false
	return nil
}

func (h *handshake) sasl(data []byte) error {
	if h.scram != nil {
		return fmt.Errorf("log in: %w: SASL asked for twice", ErrProtocol)
	}
	scram, err := pgauth.NewScramClient(pgauth.Mechanisms(data), h.login.Password, h.endPoint, h.cache)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAuthMethod, err)
	}
	h.scram, h.owed = scram, true
	return h.send(pgauth.AppendSASLInitial(nil, scram.Mechanism(), scram.First()))
}
