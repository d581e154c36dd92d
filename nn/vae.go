package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"vaectl/conv"
	"vaectl/internal/isa"
	"vaectl/internal/parallel"
	"vaectl/internal/vec"
)

// Config is what a VAE is built from.
type Config struct {
	Height, Width int // of the images, even
	LatentDim     int // 1 to MaxLatentDim
	Noise         Noise
	KLWeight      float64
	Convolution   Convolution
}

// MaxLatentDim is the largest latent dimension that New accepts.
const MaxLatentDim = 1024

// VAE is the convolutional variational autoencoder of F. Chollet, Deep Learning
// with Python, section 8.4:
//
//	x -> encoder -> z_mean, z_log_var -> z = z_mean + exp(z_log_var)*eps -> decoder -> logits of x
//
// It must not be used by two goroutines at once; the pool given to Bind spreads
// the work of one call.
type VAE struct {
	Config

	encoder, mean, logVar, decoder sequential
	params                         []*Param
	weights, grads                 []float32
	exponent                       float64 // of z_log_var in the noise's deviation

	pool    *parallel.Pool
	kernels vec.Kernels
	batch   int
	z       Batch
	dz, dh  Batch // gradients of z, and of the second head's input
	recon   []float64
	kl      []float64
	x       Batch // operands of the running call
	out     Batch
	dst     []float32
	dLogits Batch
	lossS   func(worker, n int)
	probS   func(worker, n int)
}

// New builds a VAE without any memory for its parameters, which Bind provides.
func New(c Config) (*VAE, error) {
	v := &VAE{Config: c}
	image := Shape{c.Height, c.Width, 1}
	if c.Height < 2 || c.Width < 2 || c.Height%2 != 0 || c.Width%2 != 0 {
		return nil, fmt.Errorf("image size %dx%d: height and width must be even", c.Height, c.Width)
	}
	if c.LatentDim < 1 || c.LatentDim > MaxLatentDim {
		return nil, fmt.Errorf("latent dimension %d: must be 1 to %d", c.LatentDim, MaxLatentDim)
	}
	if !(c.KLWeight >= 0) || math.IsInf(c.KLWeight, 0) {
		return nil, fmt.Errorf("KL weight %v: must be a number from 0 up", c.KLWeight)
	}
	if c.Convolution != Winograd && c.Convolution != Direct {
		return nil, fmt.Errorf("convolution %q: must be %q or %q", string(c.Convolution), Winograd, Direct)
	}
	var err error
	if v.exponent, err = c.Noise.half(); err != nil {
		return nil, err
	}

	conv2d := func(filters, stride int, act Activation) Layer {
		return &Conv2D{Filters: filters, Kernel: 3, Stride: stride, Padding: conv.Same, Activation: act}
	}
	small := Shape{c.Height / 2, c.Width / 2, 64}
	v.encoder = sequential{name: "encoder", layers: []named{
		{name: "conv1", Layer: conv2d(32, 1, ReLU)},
		{name: "conv2", Layer: conv2d(64, 2, ReLU)},
		{name: "conv3", Layer: conv2d(64, 1, ReLU)},
		{name: "conv4", Layer: conv2d(64, 1, ReLU)},
		{name: "dense", Layer: &Dense{Out: Vector(32), Activation: ReLU}},
	}}
	v.mean = sequential{name: "encoder", layers: []named{
		{name: "z_mean", Layer: &Dense{Out: Vector(c.LatentDim)}},
	}}
	v.logVar = sequential{name: "encoder", layers: []named{
		{name: "z_log_var", Layer: &Dense{Out: Vector(c.LatentDim)}},
	}}
	v.decoder = sequential{name: "decoder", layers: []named{
		{name: "dense", Layer: &Dense{Out: small, Activation: ReLU}},
		{name: "conv_transpose", Layer: &Conv2DTranspose{Filters: 32, Kernel: 3, Stride: 2, Padding: conv.Same, Activation: ReLU}},
		// The sigmoid is part of the loss, and of Decode.
		{name: "conv_out", Layer: conv2d(1, 1, Linear)},
	}}

	h, err := v.encoder.init(image)
	if err != nil {
		return nil, err
	}
	for _, link := range []struct {
		part *sequential
		in   Shape
	}{{&v.mean, h}, {&v.logVar, h}, {&v.decoder, Vector(c.LatentDim)}} {
		if _, err := link.part.init(link.in); err != nil {
			return nil, err
		}
	}
	for _, part := range v.parts() {
		v.params = append(v.params, part.params()...)
	}
	v.lossS, v.probS = v.lossSample, v.probSample
	return v, nil
}

// parts in the order of the parameters.
func (v *VAE) parts() []*sequential {
	return []*sequential{&v.encoder, &v.mean, &v.logVar, &v.decoder}
}

// Params lists the parameters in the order of the model's table. Before Bind
// they have no data.
func (v *VAE) Params() []*Param { return v.params }

// Weights and Grads are the memory of all parameters and of their gradients,
// with zeros between tensors.
func (v *VAE) Weights() []float32 { return v.weights }
func (v *VAE) Grads() []float32   { return v.grads }

// Pixels is the number of values in an image.
func (v *VAE) Pixels() int { return v.Height * v.Width }

// BatchSize is the largest number of samples that a call takes.
func (v *VAE) BatchSize() int { return v.batch }

// Bind allocates the memory for batches of up to batch samples; training asks
// for that of the gradients too. All weights start at zero.
func (v *VAE) Bind(pool *parallel.Pool, tier isa.Tier, batch int, training bool) {
	b := &Binder{Pool: pool, Tier: tier, Direct: v.Convolution == Direct, N: batch, Training: training}
	v.pool, v.batch, v.kernels = pool, batch, vec.New(tier)
	for _, part := range v.parts() {
		part.bind(b)
	}
	b.Batch(&v.z, Vector(v.LatentDim), conv.Border{})
	if training {
		b.Batch(&v.dz, v.z.Shape, conv.Border{})
		b.Batch(&v.dh, Vector(32), conv.Border{})
	}
	v.recon, v.kl = make([]float64, batch), make([]float64, batch)
	v.weights, v.grads = b.allocate()
}

// InitWeights draws the kernels from Glorot's uniform distribution, limit
// sqrt(6/(fan_in+fan_out)), and sets the biases to zero.
func (v *VAE) InitWeights(rng *rand.Rand) {
	for _, p := range v.params {
		limit := 0.0
		if p.FanIn+p.FanOut > 0 {
			limit = math.Sqrt(6 / float64(p.FanIn+p.FanOut))
		}
		for i := range p.Data {
			p.Data[i] = float32(limit * (2*rng.Float64() - 1))
		}
	}
}

// Encode overwrites zMean and zLogVar [n, LatentDim] with the posterior's
// parameters of the images x [n, Height, Width], values in [0, 1].
func (v *VAE) Encode(zMean, zLogVar, x []float32) {
	mean, logVar := v.encode(v.images(x))
	copy(zMean, mean.Data)
	copy(zLogVar, logVar.Data)
}

// Decode overwrites p [n, Height, Width] with the pixels' probabilities under
// z [n, LatentDim].
func (v *VAE) Decode(p, z []float32) {
	in := Batch{N: len(z) / v.LatentDim, Shape: Vector(v.LatentDim), Data: z}
	v.out, v.dst = v.decoder.forward(in), p
	v.pool.Run(in.N, v.probS)
}

func (v *VAE) probSample(_, n int) {
	v.kernels.Sigmoid(v.dst[n*v.Pixels():][:v.Pixels()], v.out.Sample(n))
}

// Losses runs the model on the images x [n, Height, Width] with the noise
// eps [n, LatentDim].
func (v *VAE) Losses(x, eps []float32) Losses {
	losses, _, _ := v.forward(v.images(x), eps, false)
	return losses
}

// Gradients does the same and overwrites Grads with the gradient of the loss.
// It needs Bind with training.
func (v *VAE) Gradients(x, eps []float32) Losses {
	images := v.images(x)
	n := images.N
	losses, mean, logVar := v.forward(images, eps, true)

	clear(v.grads)
	dz := v.dz.Head(n)
	v.decoder.backward(dz, v.z.Head(n))

	dMean, dLogVar := v.mean.grad(n), v.logVar.grad(n)
	reparametrizeGrad(dMean.Data, dLogVar.Data, dz.Data, logVar.Data, eps, v.exponent)
	for i := range n {
		divergence(mean.Sample(i), logVar.Sample(i), dMean.Sample(i), dLogVar.Sample(i), v.KLWeight/float64(n))
	}

	h, dh := v.encoder.outs[len(v.encoder.outs)-1].Head(n), v.encoder.grad(n)
	v.mean.backward(dh, h)
	v.logVar.backward(v.dh.Head(n), h)
	v.kernels.Add(dh.Data, v.dh.Head(n).Data)
	v.encoder.backward(Batch{N: n, Shape: images.Shape}, images)
	return losses
}

func (v *VAE) images(x []float32) Batch {
	return Batch{N: len(x) / v.Pixels(), Shape: Shape{v.Height, v.Width, 1}, Data: x}
}

func (v *VAE) encode(x Batch) (mean, logVar Batch) {
	h := v.encoder.forward(x)
	return v.mean.forward(h), v.logVar.forward(h)
}

// forward computes the losses and, for training, the logits' gradient.
func (v *VAE) forward(x Batch, eps []float32, training bool) (losses Losses, mean, logVar Batch) {
	mean, logVar = v.encode(x)
	z := v.z.Head(x.N)
	reparametrize(z.Data, mean.Data, logVar.Data, eps, v.exponent)

	v.x, v.out, v.dLogits = x, v.decoder.forward(z), Batch{}
	if training {
		v.dLogits = v.decoder.grad(x.N)
	}
	v.pool.Run(x.N, v.lossS)

	for n := range x.N {
		losses.Reconstruction += v.recon[n] / float64(x.N)
		losses.KL += v.KLWeight * divergence(mean.Sample(n), logVar.Sample(n), nil, nil, 0) / float64(x.N)
	}
	losses.Loss = losses.Reconstruction + losses.KL
	return losses, mean, logVar
}

func (v *VAE) lossSample(_, n int) {
	var grad []float32
	if v.dLogits.Data != nil {
		grad = v.dLogits.Sample(n)
	}
	pixels := float64(v.Pixels())
	v.recon[n] = v.kernels.CrossEntropy(v.out.Sample(n), v.x.Sample(n), grad, 1/(pixels*float64(v.x.N))) / pixels
}
