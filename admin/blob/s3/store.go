package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// Store is a prefix of a bucket.
type Store struct {
	cfg    Config
	client minio.Core
	idle   func() // closes the connections that nobody uses
	budget blob.Budget
	names  nameLocks
}

var _ blob.Store = (*Store)(nil)

// New asks the service for what there is, which tells whether it can be used,
// and aborts the uploads that dead writers left.
func New(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, idle: func() {}}
	s.budget.Max = cfg.MaxBytes
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("set up S3: %w", err)
	}
	if err := s.begin(ctx); err != nil {
		s.idle()
		return nil, fmt.Errorf("open S3 bucket %s: %w", cfg.Bucket, err)
	}
	return s, nil
}

// connect sends nothing yet, but to whoever knows the machine's role.
func (s *Store) connect(ctx context.Context) error {
	endpoint, err := url.Parse(s.cfg.Endpoint)
	if err != nil {
		return err
	}
	secure := endpoint.Scheme == "https"
	transport := s.cfg.Transport
	if transport == nil {
		own, err := minio.DefaultTransport(secure)
		if err != nil {
			return err
		}
		transport, s.idle = own, own.CloseIdleConnections
	}
	lookup := minio.BucketLookupAuto
	if s.cfg.PathStyle {
		lookup = minio.BucketLookupPath
	}
	creds, err := s.cfg.credentials(ctx)
	if err != nil {
		return err
	}
	client, err := minio.New(endpoint.Host, &minio.Options{Creds: creds, Secure: secure, Region: s.cfg.Region, BucketLookup: lookup, Transport: transport})
	if err != nil {
		return err
	}
	s.client = minio.Core{Client: client}
	return nil
}

// credentials are those of the configuration, else what this machine has, in
// the order of the AWS SDKs.
func (c *Config) credentials(ctx context.Context) (*credentials.Credentials, error) {
	if c.AccessKey != "" {
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey.Reveal(), ""), nil
	}
	chain := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Region: c.Region},
	})
	found, err := chain.GetWithContext(&credentials.CredContext{Client: &http.Client{Timeout: roleTimeout}})
	if err = errors.Join(ctx.Err(), err); err != nil {
		return nil, err
	}
	if found.AccessKeyID == "" { // the chain keeps to itself why
		return nil, errors.New("no credentials: give an access key and its secret key, or let this machine have some (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role)")
	}
	return chain, nil
}

// roleTimeout bounds one question to the machine's metadata.
const roleTimeout = 5 * time.Second

func (s *Store) begin(ctx context.Context) error {
	if err := s.sweep(ctx, s.cfg.Now().Add(-s.cfg.SweepAfter)); err != nil {
		return err
	}
	return s.Recount(ctx)
}

// Recount counts again what is there, after another wrote to it.
func (s *Store) Recount(ctx context.Context) error {
	var kept int64
	for after := ""; ; {
		page, err := s.List(ctx, "", after, blob.MaxList)
		if err != nil {
			return err
		}
		for _, i := range page {
			kept += i.Size
			after = i.Name
		}
		if len(page) < blob.MaxList {
			break
		}
	}
	s.budget.Start(kept)
	return nil
}

func (s *Store) sweep(ctx context.Context, old time.Time) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	for upload := range s.client.ListIncompleteUploads(ctx, s.cfg.Bucket, s.cfg.Prefix, true) {
		err := upload.Err
		if err == nil && upload.Initiated.Before(old) {
			err = s.client.AbortMultipartUpload(ctx, s.cfg.Bucket, upload.Key, upload.UploadID)
		}
		if err = translate(err); err != nil && !errors.Is(err, blob.ErrNotFound) {
			return fmt.Errorf("sweep unfinished uploads: %w", err)
		}
	}
	return nil
}

// Open asks for the blob's size and version.
func (s *Store) Open(ctx context.Context, name string) (blob.Object, error) {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return nil, err
	}
	info, err := s.stat(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", name, err)
	}
	return &object{ctx: ctx, store: s, name: name, size: info.Size, etag: info.ETag}, nil
}

// Delete removes a blob.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return err
	}
	unlock := s.names.lock(name)
	defer unlock()
	info, err := s.stat(ctx, name)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err == nil {
		ctx, cancel := s.deadline(ctx)
		defer cancel()
		err = translate(s.client.RemoveObject(ctx, s.cfg.Bucket, s.key(name), minio.RemoveObjectOptions{}))
	}
	if err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	s.budget.Drop(info.Size)
	return nil
}

// List asks for one page of names; the service keeps them in order.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]blob.Info, error) {
	if err := errors.Join(ctx.Err(), blob.CheckPrefix(prefix)); err != nil {
		return nil, err
	}
	if limit < 1 || limit > blob.MaxList {
		limit = blob.MaxList
	}
	opts := minio.ListObjectsOptions{Prefix: s.key(prefix), Recursive: true, MaxKeys: limit}
	if after != "" {
		opts.StartAfter = s.key(after)
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	var list []blob.Info
	for o := range s.client.ListObjectsIter(ctx, s.cfg.Bucket, opts) {
		if o.Err != nil {
			return nil, fmt.Errorf("list blobs: %w", translate(o.Err))
		}
		name := strings.TrimPrefix(o.Key, s.cfg.Prefix)
		if blob.CheckName(name) != nil {
			continue // somebody else put it there
		}
		if list = append(list, blob.Info{Name: name, Size: o.Size, Time: o.LastModified}); len(list) == limit {
			break
		}
	}
	return list, ctx.Err()
}

// Usage returns the bytes of all blobs.
func (s *Store) Usage(ctx context.Context) (int64, error) { return s.budget.Kept(), ctx.Err() }

// Close closes the connections that nobody uses.
func (s *Store) Close() error {
	s.idle()
	return nil
}

func (s *Store) stat(ctx context.Context, name string) (minio.ObjectInfo, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	info, err := s.client.StatObject(ctx, s.cfg.Bucket, s.key(name), minio.StatObjectOptions{})
	return info, translate(err)
}

func (s *Store) key(name string) string { return s.cfg.Prefix + name }

func (s *Store) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.cfg.Timeout)
}

// translate gives the service's answers the port's words.
func translate(err error) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.Code {
	case minio.NoSuchKey, minio.NoSuchUpload:
		return fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	case minio.PreconditionFailed, minio.InvalidRange: // we ask for ranges of the version we opened
		return fmt.Errorf("%w: %w", blob.ErrGone, err)
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
		return fmt.Errorf("%w: %w", blob.ErrFull, err)
	default:
		return err
	}
}
