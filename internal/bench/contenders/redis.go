package contenders

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"concord/internal/bench"
)

const (
	redisStream          = "outbox"
	redisStreamMaxLength = 1_000_000
	redisPreloadPipeline = 1000
	redisTimeout         = 10 * time.Second
	redisFieldVersion    = "version"
	redisFieldBody       = "body"
)

// redisSettings are the server's settings, all others being Redis's own. No snapshots and no rewrite of
// the log during a run, which favours it.
var redisSettings = []string{
	"--bind", "127.0.0.1", "--protected-mode", "no", "--daemonize", "no",
	"--appendonly", "yes", "--appendfsync", "always",
	"--save", "", "--auto-aof-rewrite-percentage", "0",
}

// redisUpdate writes the next version and an entry of the outbox in one step. There is no history, and
// nothing is compared.
var redisUpdate = redis.NewScript(`
local version = redis.call('HINCRBY', KEYS[1], '` + redisFieldVersion + `', 1)
redis.call('HSET', KEYS[1], '` + redisFieldBody + `', ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ` + strconv.Itoa(redisStreamMaxLength) + `, '*', 'key', KEYS[1], 'version', version)
return version`)

// Redis is redis-server (Debian: 7.0) with a Lua script that writes a version and an XADD outbox entry.
// It does less than the others: it keeps no history and has all data in memory.
//
// Settings: redisSettings; one connection a client, no retries.
type Redis struct {
	server *process
	port   int
}

var (
	_ bench.Contender = (*Redis)(nil)
	_ bench.Preloader = (*Redis)(nil)
)

// NewRedis returns the contender, not started.
func NewRedis() *Redis { return &Redis{} }

// Name implements bench.Contender.
func (r *Redis) Name() string { return "redis" }

// Start implements bench.Contender.
func (r *Redis) Start(ctx context.Context, dir string) error {
	path, err := find("redis-server", "redis-server")
	if err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	r.port = ports[0]
	args := append([]string{"--dir", dir, "--port", strconv.Itoa(r.port)}, redisSettings...)
	if r.server, err = (launch{path: path, args: args, dir: dir}).begin(); err != nil {
		return err
	}
	admin := r.connect()
	defer func() { _ = admin.Close() }() // nothing to lose
	err = r.server.await(ctx, func(ctx context.Context) error { return admin.Ping(ctx).Err() })
	if err != nil {
		return err
	}
	if err := checkRedisDurable(ctx, admin); err != nil {
		return errors.Join(err, r.Stop())
	}
	return nil
}

func checkRedisDurable(ctx context.Context, admin *redis.Client) error {
	for name, want := range map[string]string{"appendonly": "yes", "appendfsync": "always"} {
		got, err := admin.ConfigGet(ctx, name).Result()
		if err != nil {
			return fmt.Errorf("read setting %s: %w", name, err)
		}
		if got[name] != want {
			return fmt.Errorf("redis is not durable: %s is %s", name, got[name])
		}
	}
	return redisUpdate.Load(ctx, admin).Err()
}

func (r *Redis) connect() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                     loopback(r.port),
		PoolSize:                 1,
		MaxRetries:               -1, // an update that is sent twice would count twice
		ReadTimeout:              redisTimeout,
		WriteTimeout:             redisTimeout,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Preload implements bench.Preloader.
func (r *Redis) Preload(ctx context.Context, keys int, payload []byte) error {
	admin := r.connect()
	defer func() { _ = admin.Close() }() // nothing to lose
	for first := 0; first < keys; first += redisPreloadPipeline {
		pipeline := admin.Pipeline()
		for key := first; key < min(first+redisPreloadPipeline, keys); key++ {
			pipeline.HSet(ctx, redisKey(key), redisFieldVersion, 1, redisFieldBody, payload)
		}
		if _, err := pipeline.Exec(ctx); err != nil {
			return fmt.Errorf("set keys from %d: %w", first, err)
		}
	}
	return nil
}

// Client implements bench.Contender.
func (r *Redis) Client(int) (bench.Client, error) {
	c := &redisClient{r.connect()}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	if err := c.conn.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("connect: %w", err), c.Close())
	}
	return c, nil
}

// Stop implements bench.Contender.
func (r *Redis) Stop() error { return r.server.end(syscall.SIGTERM) }

func redisKey(key int) string { return "document:" + strconv.Itoa(key) }

type redisClient struct{ conn *redis.Client }

var _ bench.Versioned = (*redisClient)(nil)

func (c *redisClient) Update(ctx context.Context, key int, payload []byte) error {
	if err := redisUpdate.Run(ctx, c.conn, []string{redisKey(key), redisStream}, payload).Err(); err != nil {
		return fmt.Errorf("update key %d: %w", key, err)
	}
	return nil
}

func (c *redisClient) Read(ctx context.Context, key int) ([]byte, error) {
	body, err := c.conn.HGet(ctx, redisKey(key), redisFieldBody).Bytes()
	if err != nil {
		return nil, fmt.Errorf("read key %d: %w", key, err)
	}
	return body, nil
}

// Version implements bench.Versioned.
func (c *redisClient) Version(ctx context.Context, key int) (int64, error) {
	version, err := c.conn.HGet(ctx, redisKey(key), redisFieldVersion).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("version of key %d: %w", key, err)
	}
	return version, nil
}

func (c *redisClient) Close() error { return c.conn.Close() }
