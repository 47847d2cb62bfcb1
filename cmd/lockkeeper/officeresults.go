package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/blob/dir"
	"github.com/lockkeeper/lockkeeper/admin/blob/s3"
	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// resultStore is where results lie: a folder, or a bucket.
type resultStore interface {
	blob.Store
	// Recount counts again what is there, after another office wrote to it.
	Recount(ctx context.Context) error
	Close() error
}

const bucketScheme = "s3://"

// inBucket says that results go to a bucket and not into a folder.
func (o *officeConfig) inBucket() bool { return strings.HasPrefix(o.Results, bucketScheme) }

// openResults opens the place of results; home is the office's folder. A backup
// gives no bound.
func (o *officeConfig) openResults(ctx context.Context, home string, bound size) (resultStore, error) {
	if o.inBucket() {
		cfg, err := o.bucket()
		if err != nil {
			return nil, err
		}
		cfg.MaxBytes = int64(bound)
		store, err := s3.New(ctx, cfg)
		if err != nil {
			return nil, err // a nil *s3.Store must not become a resultStore
		}
		return store, nil
	}
	path := o.Results
	if path == "" {
		path = filepath.Join(home, "results")
	}
	store, err := dir.New(dir.Config{Dir: path, MaxBytes: int64(bound)})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// kept is how many bytes of results stay when room is made. The place itself takes
// no more than result_size, so there must be room below it for the next result,
// or nothing would ever make any.
func (o *officeConfig) kept() int64 {
	return max(int64(o.ResultSize)-int64(o.MaxBytes), int64(o.ResultSize)/2)
}

// bucket is the bucket as the store of blobs takes it, with its secret key.
func (o *officeConfig) bucket() (s3.Config, error) {
	u, err := url.Parse(o.Results)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return s3.Config{}, errors.New("results: want s3://bucket/prefix and no more; keys stand under s3")
	}
	region := o.S3.region()
	cfg := s3.Config{
		Endpoint: o.S3.Endpoint, Region: region, Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), PathStyle: o.S3.PathStyle, AccessKey: o.S3.AccessKey,
	}
	if cfg.Endpoint == "" {
		if region == "" {
			return cfg, errors.New("s3: region or endpoint is needed: where is the bucket?")
		}
		cfg.Endpoint = "https://s3." + region + ".amazonaws.com"
	}
	if o.S3.SecretKeyFile != "" {
		key, err := readSecret(o.S3.SecretKeyFile)
		if err != nil {
			return cfg, fmt.Errorf("s3: secret_key_file: %w", err)
		}
		cfg.SecretKey = secret.NewSecret(key.Reveal())
	}
	return cfg, nil
}

// region is the key's, else the one that other programs take here.
func (s *s3Config) region() string {
	for _, region := range []string{s.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")} {
		if region != "" {
			return region
		}
	}
	return ""
}

// validateResults reads what a start would read, and asks nobody.
func (o *officeConfig) validateResults() error {
	if !o.inBucket() {
		if o.S3 != (s3Config{}) {
			return errors.New("s3: results name no bucket; say s3://bucket/prefix there")
		}
		return nil
	}
	cfg, err := o.bucket()
	if err != nil {
		return err
	}
	return under("s3", cfg.Validate())
}

// whereResults says where they lie, for people.
func (o *officeConfig) whereResults() string {
	switch {
	case o.Results == "":
		return "in the state directory"
	case o.inBucket():
		return o.Results
	default:
		return "in " + o.Results
	}
}
