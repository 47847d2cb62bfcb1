// Not a Go module to import: this file keeps `go … ./...` of the house out of
// node_modules, where npm packages bring Go files of their own.
module github.com/lockkeeper/lockkeeper/admin/ui/web

go 1.26
