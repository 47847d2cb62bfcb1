package sqlparse

import (
	_ "embed"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
)

//go:embed builtins.txt
var builtinText string

// harmless are the functions of builtins.txt.
var harmless = func() map[string]struct{} {
	m := make(map[string]struct{}, 2400)
	for line := range strings.Lines(builtinText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			m[line] = struct{}{}
		}
	}
	return m
}()

// effect is what a function does beside giving a value.
type effect struct {
	verb    policy.Verbs
	feat    policy.Features
	unknown policy.Unknowns
}

// Effects that several functions share.
var (
	runsText   = effect{unknown: policy.UnknownReads | policy.UnknownFunctions | policy.UnknownEffects}
	remote     = effect{verb: policy.VerbFunction | policy.VerbUnknown, feat: policy.FeatVolatileCall | policy.FeatSecret, unknown: policy.UnknownAll &^ (policy.UnknownWhere | policy.UnknownLimit)}
	serverFile = effect{feat: policy.FeatServerFile}
	sequence   = effect{verb: policy.VerbFunction, feat: policy.FeatSequence}
	advisory   = effect{verb: policy.VerbUtility, feat: policy.FeatAdvisory}
	control    = effect{verb: policy.VerbUtility, feat: policy.FeatVolatileCall}
	largeRead  = effect{feat: policy.FeatLargeObject}
	largeWrite = effect{verb: policy.VerbFunction, feat: policy.FeatLargeObject}
)

// effects are the functions whose effect is known by name. All else that is not
// harmless is a volatile call: only the catalog can tell.
var effects = map[string]effect{
	"set_config": {verb: policy.VerbSession, feat: policy.FeatSet},
	"pg_notify":  {verb: policy.VerbUtility, feat: policy.FeatNotify},

	"nextval": sequence, "setval": sequence,
	"currval": {feat: policy.FeatSequence}, "lastval": {feat: policy.FeatSequence},

	"lo_open": largeRead, "lo_close": largeRead, "loread": largeRead, "lo_lseek": largeRead, "lo_lseek64": largeRead,
	"lo_tell": largeRead, "lo_tell64": largeRead, "lo_get": largeRead,
	"lo_creat": largeWrite, "lo_create": largeWrite, "lo_unlink": largeWrite, "lowrite": largeWrite, "lo_put": largeWrite,
	"lo_truncate": largeWrite, "lo_truncate64": largeWrite, "lo_from_bytea": largeWrite,
	"lo_import": {verb: policy.VerbFunction, feat: policy.FeatLargeObject | policy.FeatServerFile},
	"lo_export": {verb: policy.VerbFunction, feat: policy.FeatLargeObject | policy.FeatServerFile},

	"query_to_xml": runsText, "query_to_xmlschema": runsText, "query_to_xml_and_xmlschema": runsText,
	"table_to_xml": runsText, "table_to_xmlschema": runsText, "table_to_xml_and_xmlschema": runsText,
	"schema_to_xml": runsText, "schema_to_xmlschema": runsText, "schema_to_xml_and_xmlschema": runsText,
	"database_to_xml": runsText, "database_to_xmlschema": runsText, "database_to_xml_and_xmlschema": runsText,
	"cursor_to_xml": runsText, "cursor_to_xmlschema": runsText, "ts_stat": runsText, "ts_rewrite": runsText,
	"xpath_table": runsText, "crosstab": runsText, "crosstab2": runsText, "crosstab3": runsText, "crosstab4": runsText, "connectby": runsText,

	"dblink": remote, "dblink_exec": remote, "dblink_connect": remote, "dblink_connect_u": remote, "dblink_open": remote,
	"dblink_send_query": remote, "dblink_get_result": remote, "dblink_fetch": remote,
	"postgres_fdw_disconnect": control, "http": remote, "http_get": remote, "http_post": remote,

	"pg_read_file": serverFile, "pg_read_binary_file": serverFile, "pg_read_file_old": serverFile, "pg_stat_file": serverFile,
	"pg_ls_dir": serverFile, "pg_ls_logdir": serverFile, "pg_ls_waldir": serverFile, "pg_ls_tmpdir": serverFile,
	"pg_ls_archive_statusdir": serverFile, "pg_file_write": {verb: policy.VerbFunction, feat: policy.FeatServerFile},
	"pg_hba_file_rules": serverFile, "pg_ident_file_mappings": serverFile, "pg_show_all_file_settings": serverFile, "pg_current_logfile": serverFile,

	"pg_cancel_backend": control, "pg_terminate_backend": control, "pg_reload_conf": control, "pg_rotate_logfile": control,
	"pg_promote": control, "pg_switch_wal": control, "pg_create_restore_point": control, "pg_backup_start": control, "pg_backup_stop": control,
	"pg_wal_replay_pause": control, "pg_wal_replay_resume": control, "pg_stat_reset": control, "pg_stat_reset_shared": control,
	"pg_export_snapshot": {verb: policy.VerbUtility, feat: policy.FeatVolatileCall | policy.FeatSetLocal},
	"txid_current":       {feat: policy.FeatVolatileCall}, "pg_current_xact_id": {feat: policy.FeatVolatileCall},
}

// call notes a function called by name; args are the texts of its arguments where
// they are constants, nil where the caller cannot tell.
func (f *facts) call(fn policy.Function, args []*string) {
	f.function(fn)
	name := fn.Name
	if fn.Schema != "" && fn.Schema != "pg_catalog" {
		if e, ok := effects[name]; ok { // an extension's function keeps its name in any schema
			f.effect(e)
		}
		f.feat(policy.FeatVolatileCall)
		return
	}
	if strings.HasPrefix(name, "pg_advisory_") || strings.HasPrefix(name, "pg_try_advisory_") {
		f.effect(advisory)
		return
	}
	if e, ok := effects[name]; ok {
		f.effect(e)
		if name == "set_config" {
			f.setConfig(args)
		}
		return
	}
	if _, ok := harmless[name]; !ok {
		f.feat(policy.FeatVolatileCall)
	}
}

func (f *facts) effect(e effect) {
	f.verb(e.verb)
	f.feat(e.feat)
	f.Unknown |= e.unknown
}

// setConfig reads the arguments of set_config: which setting, to what, and
// whether for the transaction only. What is no constant is an unknown effect, and
// so is a second call in the same statement.
func (f *facts) setConfig(args []*string) {
	if len(args) != 3 || args[0] == nil || f.Setting != "" {
		f.Unknown |= policy.UnknownEffects
		return
	}
	f.Setting = strings.ToLower(*args[0])
	if args[2] == nil || *args[2] != "false" {
		f.feat(policy.FeatSetLocal)
	}
	if !tracked(f.Setting) {
		return
	}
	if args[1] == nil {
		f.Unknown |= policy.UnknownEffects
		return
	}
	f.SettingValue = *args[1]
}

// tracked reports whether a setting's value is a fact: the door follows it.
func tracked(setting string) bool {
	return setting == "search_path" || setting == "lockkeeper.tags"
}
