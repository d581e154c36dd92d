package bench

import (
	"context"
	"fmt"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/modelfile"
	"vaectl/internal/train"
	"vaectl/mnist"
	"vaectl/optim"
)

// products times gonum's Sgemm, as it is installed, on one core in every shape
// of the model. A shape that occurs again is not measured again.
func (b *bench) products(ctx context.Context, budget time.Duration) error {
	stages, err := b.stages()
	if err != nil {
		return err
	}
	type use struct {
		product
		name string
	}
	var uses []use
	seen := map[product]bool{}
	add := func(p product, name string) {
		if !seen[p] {
			seen[p] = true
			uses = append(uses, use{p, name})
		}
	}
	for i, s := range stages {
		if s.Layer == nil {
			continue
		}
		forward, dataGrad, weightGrad := productsOf(s, b.Config.BatchSize)
		add(forward, s.Name+" forward")
		if i > 0 {
			add(dataGrad, s.Name+" data gradient")
		}
		add(weightGrad, s.Name+" weight gradient")
	}
	for _, u := range uses {
		x := b.matrix(u.tA, u.m, u.k)
		y := b.matrix(u.tB, u.k, u.n)
		z := b.matrix(blas.NoTrans, u.m, u.n)
		r := Result{Section: Products, Name: u.String() + " " + u.name, Workers: 1}
		r.flops = 2 * float64(u.m) * float64(u.n) * float64(u.k)
		r.Seconds, r.Repeats = repeat(ctx, budget/time.Duration(len(uses)), func() {
			blas32.Gemm(u.tA, u.tB, 1, x, y, 0, z)
		})
		b.add(r)
	}
	return nil
}

// matrix is one that is rows x cols once t is applied.
func (b *bench) matrix(t blas.Transpose, rows, cols int) blas32.General {
	if t == blas.Trans {
		rows, cols = cols, rows
	}
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: b.normals(rows * cols)}
}

// layers times every layer on a batch, on all workers. A layer computes both of
// its gradients in one go. The weight gradient is timed by itself, and the data
// gradient's time is what both take together less that, round by round.
func (b *bench) layers(ctx context.Context, budget time.Duration) error {
	stages, err := b.stages()
	if err != nil {
		return err
	}
	for i, s := range stages {
		if s.Layer == nil {
			continue
		}
		times := rounds(ctx, budget/time.Duration(len(stages)), s.Forward, s.Backward, s.WeightGrad)
		forward, dataGrad, weightGrad := times[0], times[1], times[2]
		for i, t := range weightGrad {
			dataGrad[i] -= t
		}
		row := func(what string, times []float64) {
			b.add(Result{
				Section: Layers, Name: s.Name + " " + what, Workers: b.pool.Workers(),
				Seconds: max(median(times), 0), Repeats: len(times), flops: float64(b.Config.BatchSize * flops(s)),
			})
		}
		row("forward", forward)
		if i > 0 {
			row("data gradient", dataGrad)
		}
		row("weight gradient", weightGrad)
	}
	return nil
}

// training times the parts of a step that are no layer, and whole steps in the
// training loop itself.
func (b *bench) training(ctx context.Context, budget time.Duration) error {
	stages, err := b.stages()
	if err != nil {
		return err
	}
	_, _, flops := count(stages)
	for _, s := range stages {
		if s.Layer == nil {
			b.part(ctx, budget/10, s.Name, s.Forward)
		}
	}
	if err := b.optimizer(ctx, budget/10); err != nil {
		return err
	}

	l := loop{budget: budget * 8 / 10, samples: b.Samples}
	if err := b.train(ctx, &l); err != nil {
		return err
	}
	row := func(name string, images int, seconds float64) {
		b.add(Result{
			Section: Training, Name: name, Workers: b.pool.Workers(), Seconds: seconds, Repeats: len(l.times),
			flops: float64(images * flops), images: images,
		})
	}
	n := b.Config.BatchSize
	row(fmt.Sprintf("step of %d", n), n, median(l.times))
	row(Epoch, 60_000, l.scaled(60_000))
	return nil
}

// part times a part of a step that counts no operations.
func (b *bench) part(ctx context.Context, budget time.Duration, name string, f func()) {
	r := Result{Section: Training, Name: name, Workers: b.pool.Workers()}
	r.Seconds, r.Repeats = repeat(ctx, budget, f)
	b.add(r)
}

func (b *bench) optimizer(ctx context.Context, budget time.Duration) error {
	model, err := b.vae(1, true)
	if err != nil {
		return err
	}
	w := model.Weights()
	g := b.normals(len(w))
	opt, err := optim.New(b.Config.Optimizer, b.Config.LearningRate, len(w), b.Tier)
	if err != nil {
		return err
	}
	update := func(_, block int) {
		opt.Update(w, g, block*train.UpdateBlock, min((block+1)*train.UpdateBlock, len(w)))
	}
	b.part(ctx, budget, "optimizer "+b.Config.Optimizer, func() {
		opt.Advance()
		b.pool.Run((len(w)+train.UpdateBlock-1)/train.UpdateBlock, update)
	})
	return nil
}

// train runs the training loop for as long as l wants.
func (b *bench) train(ctx context.Context, l *loop) error {
	config := b.Config
	config.Epochs = modelfile.MaxEpochs
	run, err := train.New(config, &mnist.Dataset{Name: b.Data.Name, Train: b.Data.Train}, b.Tier, b.pool.Workers())
	if err != nil {
		return err
	}
	defer run.Close()
	enough, stop := context.WithCancel(ctx)
	defer stop()
	for !run.Done() {
		before := 0
		_, err := run.Epoch(enough, func(p train.Progress) error {
			if !l.turn(p.Samples - before) {
				stop()
			}
			before = p.Samples
			return nil
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if enough.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// throughput times encoding and decoding in batches: from pixels in memory to
// z_mean and z_log_var in memory, and from latent vectors to probabilities.
func (b *bench) throughput(ctx context.Context, budget time.Duration) error {
	model, err := b.vae(b.Batch, false)
	if err != nil {
		return err
	}
	stages, err := b.stages()
	if err != nil {
		return err
	}
	encodeFlops, decodeFlops, _ := count(stages)

	n := b.Batch
	images := make([]float32, n*model.Pixels())
	mean, logVar := b.normals(n*model.LatentDim), b.normals(n*model.LatentDim)
	encode := func(first, n int) {
		x := images[:n*model.Pixels()]
		b.Data.Train.Fill(x, b.indices(first, n))
		model.Encode(mean[:n*model.LatentDim], logVar[:n*model.LatentDim], x)
	}
	b.batches(ctx, budget/2, Encode, encodeFlops, encode)
	z := b.normals(n * model.LatentDim)
	b.batches(ctx, budget/2, Decode, decodeFlops, func(_, n int) {
		model.Decode(images[:n*model.Pixels()], z[:n*model.LatentDim])
	})
	return nil
}

// batches times f, which does n images from the first on, batch after batch.
func (b *bench) batches(ctx context.Context, budget time.Duration, name string, flops int, f func(first, n int)) {
	l := loop{budget: budget, samples: b.Samples}
	for more, first := true, 0; more && ctx.Err() == nil; {
		n := b.Batch
		if b.Samples > 0 && b.Samples > l.done {
			n = min(n, b.Samples-l.done)
		}
		f(first, n)
		first += n
		more = l.turn(n)
	}
	const images = 10_000
	b.add(Result{
		Section: Throughput, Name: name, Workers: b.pool.Workers(), Seconds: l.scaled(images), Repeats: len(l.times),
		flops: float64(images * flops), images: images,
	})
}
