// Package backend opens sessions of the warehouse: dial, TLS as libpq's
// sslmode, start-up with the client's own parameters, login, and everything
// the server says until it is ready.
//
//	Dialer                          warehouse
//	  SSLRequest        ──────────►
//	  ◄────────────────────────── S  (one byte is read, so nothing can hide behind it)
//	  TLS
//	  StartupMessage    ──────────►
//	  ◄──────────── Authentication…  (scram, scram-plus, md5, password)
//	  ◄──────────── ParameterStatus* (kept in the server's order)
//	  ◄──────────── BackendKeyData, NoticeResponse*
//	  ◄──────────── ReadyForQuery    → *Conn, owned by the session
//
// The first connection teaches the Dialer what the server is: Redshift reports
// padb_version; a Postgres of version 14 or later gets
// client_connection_check_interval, so that a statement ends whose connection
// we close. A start-up parameter of ours that the server refuses is left out
// from then on.
//
// Conn.Cancel speaks to the same address, with the same TLS, and returns when
// the server has closed: after that the signal cannot hit a later statement.
//
// What it does not do: it reads no file and no environment, keeps no pool, and
// understands nothing after the first ReadyForQuery.
package backend
