// Package s3 keeps blobs in a bucket of an S3-compatible service, and meets the
// port of package blob. It is the only place of the SDK.
//
// A blob goes up in parts while it is written (one request when it is smaller
// than a part), each with its checksum, and appears when the upload is
// completed. Reads are ranged, and bound to the version that was opened by its
// ETag: a blob that was replaced meanwhile is blob.ErrGone. So is one that was
// deleted, as the service keeps nothing open.
//
// Bytes are counted once at the start and then kept count of: nobody else may
// write below the prefix. Every request has a deadline.
package s3
