// Package proxytest is the ground that the tests of the door stand on: real
// parts first.
//
//   - Postgres: a private PostgreSQL server, started once per test process,
//     with roles, authentication methods and TLS at the test's command. It
//     cannot outlive the process that started it.
//   - Client: a client that speaks raw messages and writes down what it was
//     answered as a line of text: "T D*2 C(SELECT 2) Z(I)".
//   - Fake: a warehouse that plays a script over a real socket, for what a
//     real server would never do: half frames, silence, garbage.
//   - Relay: a wire between two parties that can stall, trickle, cut or reset.
//   - Canary: a log handler that fails the test when a planted secret turns up.
//
// A test package that uses Postgres hands its TestMain over to Main, which
// stops the server and looks for goroutines left behind.
//
// It is for tests only; nothing that ships imports it.
package proxytest
