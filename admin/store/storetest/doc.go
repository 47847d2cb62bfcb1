// Package storetest is what every engine of the office's store must hold. An
// engine's tests call Run; a use case that adds tables adds a function beside.
package storetest
