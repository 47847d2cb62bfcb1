package s3

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/secret"
)

const minPart = 5 << 20 // of S3, for all parts but the last

// Config sets up a Store. Endpoint and Bucket are required.
type Config struct {
	Endpoint string // https://s3.eu-central-1.amazonaws.com
	Region   string // empty: asked of the service
	Bucket   string // must exist
	Prefix   string // before each name, without a slash at its end
	// PathStyle puts the bucket into the path and not into the host name.
	PathStyle bool

	// AccessKey and SecretKey sign requests. Without them those of the environment
	// or the profile are used, or the role of the machine, task or pod.
	AccessKey string
	SecretKey secret.Secret

	MaxBytes   int64         // of all blobs, those being written included; 0: no bound
	PartBytes  int           // held in memory by each writer (default 8 MiB, at least 5)
	Timeout    time.Duration // of each request, its repetitions included (default 1 min)
	SweepAfter time.Duration // age at which a start aborts an unfinished upload (default 24 h)

	Transport http.RoundTripper // default: the SDK's
	Now       func() time.Time  // default time.Now
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil:
		return errors.New("blobs: the S3 endpoint is not of the form https://host")
	case c.Bucket == "":
		return errors.New("blobs: no S3 bucket")
	case s3utils.CheckValidBucketNameStrict(c.Bucket) != nil:
		return fmt.Errorf("blobs: S3 bucket: %w", s3utils.CheckValidBucketNameStrict(c.Bucket))
	case c.Prefix != "" && blob.CheckName(c.Prefix) != nil:
		return fmt.Errorf("blobs: S3 prefix: %w", blob.CheckName(c.Prefix))
	case (c.AccessKey == "") != c.SecretKey.IsZero():
		return errors.New("blobs: an S3 access key and its secret key come together")
	case c.PartBytes != 0 && c.PartBytes < minPart:
		return fmt.Errorf("blobs: parts of %d bytes; S3 takes none below %d", c.PartBytes, minPart)
	case c.MaxBytes < 0 || c.Timeout < 0 || c.SweepAfter < 0:
		return errors.New("blobs: negative bound")
	default:
		return nil
	}
}

func (c Config) withDefaults() Config {
	if c.PartBytes == 0 {
		c.PartBytes = 8 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if c.SweepAfter == 0 {
		c.SweepAfter = 24 * time.Hour
	}
	if c.Prefix != "" {
		c.Prefix += "/"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
