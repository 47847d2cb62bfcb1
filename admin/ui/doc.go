// Package ui holds the office's page, built from the TypeScript under web.
//
//	npm ci --ignore-scripts && npm run build   (in web)  ──► dist ──► Files
//
// The page is one index.html and hashed assets, all of it from this host: it asks
// no third party for anything. It speaks to the office by /api/v1 alone, as every
// other client does.
//
// Without Node the package still builds: then Files holds one page that says how
// to build the real one, so that the door, its tests and `go install` never wait
// for a browser's tools.
//
// What it promises: Index is the page for one answer, with the answer's style
// nonce and the path the office lives below. What it does not do: it serves
// nothing, and decides nothing about caching, headers or rights.
package ui
