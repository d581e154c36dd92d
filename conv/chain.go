package conv

import "vaectl/internal/parallel"

// Chain runs the operations of layers that follow one another. An image passes
// them all on one worker, so that what one layer computes is still in that
// core's cache when the next one reads it; the weight gradients of all layers
// come last and share the workers.
type Chain struct {
	pool *parallel.Pool
	ops  []*Fused // in the order in which an image passes them

	// Method values, made once: making one allocates.
	pack, image, load, rows, grad func(worker, task int)
	one                           *Fused // whose load and rows are running
}

// NewChain returns the chain of the given layers, which share a pool.
func NewChain(layers ...*Fused) *Chain {
	c := new(Chain)
	c.init(layers[0].pool, layers...)
	return c
}

func (c *Chain) init(pool *parallel.Pool, layers ...*Fused) {
	c.pool, c.ops = pool, layers
	c.pack, c.image, c.grad = c.packTask, c.imageTask, c.gradTask
	c.load = func(worker, n int) { c.one.load(worker, n) }
	c.rows = func(worker, task int) { c.one.rows(worker, task) }
}

// Run carries out the operations, each of which must have been begun on the same
// number of images.
func (c *Chain) Run() {
	packs, grads := 0, 0
	for _, f := range c.ops {
		packs += f.packs()
		grads += f.grads()
	}
	if packs > 0 {
		c.pool.Run(packs, c.pack)
	}
	n, workers := c.ops[0].op.n, c.pool.Workers()
	if wholeImages(n, workers) {
		c.pool.Run(n, c.image)
	} else {
		c.runByRows(n, workers)
	}
	if grads > 0 {
		c.pool.Run(grads, c.grad)
	}
	for _, f := range c.ops {
		f.end()
	}
}

// runByRows runs the operations one after another, each image cut into ranges of
// rows: there are too few images to keep the workers busy.
func (c *Chain) runByRows(n, workers int) {
	for _, f := range c.ops {
		c.one = f
		if f.op.loadX || f.op.loadY || f.op.learns() {
			c.pool.Run(n, c.load)
		}
		if f.op.computes() {
			f.op.parts = cutImages(n, f.op.result.H, workers)
			c.pool.Run(n*f.op.parts, c.rows)
		}
	}
}

func (c *Chain) imageTask(worker, n int) {
	for _, f := range c.ops {
		f.image(worker, n)
	}
}

func (c *Chain) packTask(worker, task int) {
	for _, f := range c.ops {
		if task < f.packs() {
			f.pack(worker, task)
			return
		}
		task -= f.packs()
	}
}

func (c *Chain) gradTask(worker, task int) {
	for _, f := range c.ops {
		if task < f.grads() {
			f.grad(worker, task)
			return
		}
		task -= f.grads()
	}
}
