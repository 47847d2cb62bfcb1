package proxy

// console serves a visitor of the reserved database.
func (srv *Server) console(v *visitor) error {
	return v.refuse(internalError())
}
