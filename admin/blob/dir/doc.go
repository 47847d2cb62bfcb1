// Package dir keeps blobs in a folder, and meets the port of package blob.
//
//	.tmp/<random>      blobs that are being written
//	run/a1/rows=       the blob "run/a1/rows"
//
// The mark at the end of a file's name, which no blob name has, lets "a" be a
// blob beside the folder of "a/b". The folder has mode 0700, its files 0600, and
// no link inside leads out of it: all access goes through [os.Root].
//
// A commit forces the file to disk, moves it to its name, and forces the folders
// on its way. A full disk is blob.ErrFull; Config.MaxBytes comes before that.
package dir
