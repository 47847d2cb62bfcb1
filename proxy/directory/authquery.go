package directory

// AuthQuery asks the warehouse for verifiers.
type AuthQuery struct{}
