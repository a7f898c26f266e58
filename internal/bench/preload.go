package bench

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// preloadClients is how many connections create keys for a contender that has no faster way.
const preloadClients = 64

// Preload makes keys 0 to keys-1 exist in the started contender, each with a document of payloadBytes:
// by its own Preload, else by updates. A contender that has no updates is left as it is.
func Preload(ctx context.Context, c Contender, keys, payloadBytes int) error {
	var err error
	if own, ok := c.(Preloader); ok {
		err = own.Preload(ctx, keys, newDocument(0, payloadBytes).next())
	} else {
		err = preloadByUpdates(ctx, c, keys, payloadBytes)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("preload %d keys of %s: %w", keys, c.Name(), err)
	}
	return nil
}

func preloadByUpdates(ctx context.Context, c Contender, keys, payloadBytes int) (err error) {
	clients, err := openClients(c, min(preloadClients, keys))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeClients(clients)) }()
	workers, ctx := errgroup.WithContext(ctx)
	for i, client := range clients {
		workers.Go(func() error {
			d := newDocument(i, payloadBytes)
			for key := i; key < keys; key += len(clients) {
				if err := client.Update(ctx, key, d.next()); err != nil {
					return fmt.Errorf("key %d: %w", key, err)
				}
			}
			return nil
		})
	}
	return workers.Wait()
}
