package sqlparse

import (
	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// object reads the statements that name an object by its sort: DROP, COMMENT,
// RENAME, SET SCHEMA, OWNER. Their names stand in plain lists.
func (w *walker) object(n *pg.Node) {
	switch v := n.GetNode().(type) {
	case *pg.Node_DropStmt:
		for _, o := range v.DropStmt.GetObjects() {
			w.named(v.DropStmt.GetRemoveType(), o)
		}
		if v.DropStmt.GetBehavior() == pg.DropBehavior_DROP_CASCADE && container(v.DropStmt.GetRemoveType()) {
			w.Unknown |= policy.UnknownWrites
		}
	case *pg.Node_CommentStmt:
		w.named(v.CommentStmt.GetObjtype(), v.CommentStmt.GetObject())
	case *pg.Node_SecLabelStmt:
		w.named(v.SecLabelStmt.GetObjtype(), v.SecLabelStmt.GetObject())
	case *pg.Node_RenameStmt:
		w.rename(v.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		if rv := v.AlterObjectSchemaStmt.GetRelation(); rv != nil {
			w.target(rv)
			w.write(policy.Relation{Database: rv.GetCatalogname(), Schema: v.AlterObjectSchemaStmt.GetNewschema(), Name: rv.GetRelname()})
		}
	case *pg.Node_AlterOwnerStmt:
		if rv := v.AlterOwnerStmt.GetRelation(); rv != nil {
			w.target(rv)
		}
	}
}

func (w *walker) rename(s *pg.RenameStmt) {
	rv := s.GetRelation()
	if rv == nil {
		return
	}
	w.target(rv)
	if isRelation(s.GetRenameType()) {
		w.write(policy.Relation{Database: rv.GetCatalogname(), Schema: rv.GetSchemaname(), Name: s.GetNewname()})
	}
}

// named notes the relation that a list of names means, if the sort of object is
// or belongs to one.
func (w *walker) named(t pg.ObjectType, o *pg.Node) {
	parts := stringsOf(o.GetList().GetItems())
	switch {
	case isRelation(t):
	case ofRelation(t) && len(parts) > 0:
		parts = parts[:len(parts)-1]
	default:
		return
	}
	r, ok := relationOf(parts)
	if !ok {
		w.Unknown |= policy.UnknownWrites
		return
	}
	w.write(r)
	if r.Schema == "pg_temp" || temporary(r.Name, w.dialect) {
		w.feat(policy.FeatTemp)
	}
}

func isRelation(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_INDEX,
		pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		return true
	default:
		return false
	}
}

// ofRelation: the object is named by its relation and then its own name.
func ofRelation(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_TABCONSTRAINT:
		return true
	default:
		return false
	}
}

// container: dropped with CASCADE it takes along tables nobody named.
func container(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_SCHEMA, pg.ObjectType_OBJECT_EXTENSION, pg.ObjectType_OBJECT_FOREIGN_SERVER, pg.ObjectType_OBJECT_FDW,
		pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN, pg.ObjectType_OBJECT_ACCESS_METHOD, pg.ObjectType_OBJECT_LANGUAGE:
		return true
	default:
		return false
	}
}

// grant reads the statements about who may do what.
func (w *walker) grant(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_GrantStmt, *pg.Node_GrantRoleStmt, *pg.Node_AlterDefaultPrivilegesStmt:
		w.kind(policy.KindDDL, policy.VerbGrant)
	case *pg.Node_CreateRoleStmt:
		w.role(v.CreateRoleStmt.GetOptions())
	case *pg.Node_AlterRoleStmt:
		w.role(v.AlterRoleStmt.GetOptions())
	case *pg.Node_AlterRoleSetStmt:
		w.role(nil)
		w.Setting = v.AlterRoleSetStmt.GetSetstmt().GetName()
	case *pg.Node_DropRoleStmt:
		w.role(nil)
	default:
		return false
	}
	w.PgAudit = "ROLE"
	return true
}

func (w *walker) role(options []*pg.Node) {
	w.kind(policy.KindDDL, policy.VerbDDL)
	for _, o := range options {
		if o.GetDefElem().GetDefname() == "password" {
			w.feat(policy.FeatSecret)
		}
	}
}

// secrets marks the statements whose grammar has a place for a credential.
func (w *walker) secrets(n *pg.Node) {
	switch v := n.GetNode().(type) {
	case *pg.Node_CreateUserMappingStmt, *pg.Node_AlterUserMappingStmt, *pg.Node_CreateSubscriptionStmt, *pg.Node_AlterSubscriptionStmt,
		*pg.Node_CreateForeignServerStmt, *pg.Node_AlterForeignServerStmt:
		w.feat(policy.FeatSecret)
	case *pg.Node_AlterSystemStmt:
		w.Setting = v.AlterSystemStmt.GetSetstmt().GetName()
		if secretName(w.Setting) {
			w.feat(policy.FeatSecret)
		}
	}
}
