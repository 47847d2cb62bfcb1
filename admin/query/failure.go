package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// failure tells why a statement, or opening the session, failed.
func (s *Runs) failure(ctx context.Context, l *live, p *planned, err error) *RunError {
	cause := context.Cause(ctx)
	report, reported := errors.AsType[Failure](err)
	switch {
	case errors.Is(err, errTooMany):
		return &RunError{
			Code: CodeLimit, Message: fmt.Sprintf("The result passes its limit of %d rows or %d bytes.", l.rec.Limits.MaxRows, l.rec.Limits.MaxBytes),
			Hint: "Add a LIMIT or a WHERE, raise the limit, or let it be cut (on_limit: truncate).",
		}
	case errors.Is(err, errUndone):
		return &RunError{
			Code: CodeSQL, SQLState: "25P02", Message: "The transaction had failed, so COMMIT rolled it back: nothing that it wrote is there.",
			Hint: "Look at what its statements say, mend that, and run it again.",
		}
	case errors.Is(err, errNotKept):
		s.cfg.Log.ErrorContext(ctx, "result cannot be stored", slog.String("run", l.rec.ID), slog.Any("error", err))
		return notKept(p, err)
	case cause != nil && (!reported || isCancel(report)):
		return s.stopped(l, cause)
	case reported:
		return s.reported(l, p, report)
	}
	s.cfg.Log.WarnContext(ctx, "run lost its session", slog.String("run", l.rec.ID), slog.Any("error", err))
	return &RunError{Code: CodeConnection, Retriable: true, Message: "The connection to the warehouse was lost."}
}

func notKept(p *planned, err error) *RunError {
	e := &RunError{Code: CodeLimit, Retriable: true, Message: "The result could not be stored.", Hint: "Tell the operators: the office's place for results has a fault."}
	if errors.Is(err, blob.ErrFull) {
		e.Message = "The result could not be stored: the office's place for results is full."
		e.Hint = "Delete results you no longer need, or tell the operators."
	}
	if full, ok := errors.AsType[*noRoomError](err); ok {
		e.Message, e.Hint, e.Retriable = full.Error()+" The result did not fit beside them.", full.hint(), false
	}
	if p != nil && !p.proven {
		e.Message += " The statement itself went to its end at the warehouse."
		e.Retriable = false
	}
	return e
}

func isCancel(f Failure) bool {
	state, _, _, _, _, _ := f.Report()
	return state == "57014"
}

// stopped tells why we ended the run.
func (s *Runs) stopped(l *live, cause error) *RunError {
	switch {
	case errors.Is(cause, errQueueTimeout):
		return &RunError{
			Code: CodeQueue, Retriable: true, Message: fmt.Sprintf("It waited %s for its turn and was given up.", ms(l.rec.Limits.QueueTimeoutMS)),
			Hint: "Try again later, or with a longer queue_timeout_ms.",
		}
	case errors.Is(cause, errRunTimeout):
		return &RunError{
			Code: CodeTimeout, Message: fmt.Sprintf("It ran longer than its limit of %s and was cancelled.", ms(l.rec.Limits.RunTimeoutMS)),
			Hint: "Make the statement cheaper, or ask for more with run_timeout_ms.",
		}
	case errors.Is(cause, errStopped):
		return &RunError{Code: CodeConnection, Retriable: true, Message: "The office was stopped while this ran.", Hint: "Run it again."}
	}
	return &RunError{Code: CodeCanceled, Message: "It was cancelled."}
}

// doorRoutine begins the routine of what the door itself says.
const doorRoutine = "lockkeeper."

// reported tells what the server or the door said.
func (s *Runs) reported(l *live, p *planned, f Failure) *RunError {
	e, byDoor := reportOf(l.src, p, f)
	if e.Code == CodeCanceled { // by somebody who did not ask us
		by := "warehouse"
		if byDoor {
			by = "operator"
		}
		s.happen(l, cancelAsked{by: by, reason: e.Detail})
	}
	return e
}

// reportOf puts a report into our words, and says whether it is the door's own.
func reportOf(src string, p *planned, f Failure) (e *RunError, byDoor bool) {
	state, message, detail, hint, routine, position := f.Report()
	const long = 8000
	e = &RunError{Code: CodeSQL, SQLState: state, Message: clip(message, long), Detail: clip(detail, long), Hint: clip(hint, long)}
	if p != nil && position > 0 {
		e.Position = positionAt(src, p.origin(position))
	}
	reason, byDoor := strings.CutPrefix(routine, doorRoutine)
	switch {
	case byDoor:
		e.Code, e.Retriable = doorCode(reason, state)
	case state == "57014" && strings.Contains(message, "statement timeout"):
		e.Code = CodeTimeout
	case state == "57014":
		e.Code = CodeCanceled
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "53"):
		e.Code, e.Retriable = CodeConnection, true
	case state == "40001", state == "40P01", state == "55P03":
		e.Retriable = true
	}
	return e, byDoor
}

// doorCode maps what the door says to a code, and whether to try again.
func doorCode(reason, state string) (code string, again bool) {
	switch reason {
	case "timeout", "client_stall", "transaction_time":
		return CodeTimeout, false
	case "cancel", "terminate":
		return CodeCanceled, false
	case "limit", "max_statement_bytes", "memory":
		return CodeLimit, false
	case "released":
		return CodeSQL, true
	case "warehouse", "shutdown", "connections", "directory", "idle_session", "protocol":
		return CodeConnection, true
	case "audit":
		return CodeInternal, true
	}
	switch {
	case state == "55P03":
		return CodeQueue, true
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"):
		return CodeConnection, true
	}
	return CodePolicy, false
}
