package eval

import (
	"context"
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	"vaectl/internal/parallel"
	"vaectl/mnist"
)

// MaxPixels is the largest image whose principal components are computed: their
// time grows with the cube of the pixels, and memory with the square.
const MaxPixels = 48 * 48

// exactRows images of bytes have scalar products below 2^24, so that float32
// holds them exactly, in any order of summation.
const exactRows = 256

// stripe is the number of rows of the covariance that one task computes.
const stripe = 64

// Components are the directions of the largest variance of images: principal
// components.
type Components struct {
	Dim    int
	vector []float32 // [pixels, Dim]
}

// NewComponents computes the first dim principal components of the images'
// pixels, or as many as there are pixels. Images of more than MaxPixels are an
// error.
//
// stat.PC of gonum decomposes the matrix of all images, hundreds of megabytes for
// MNIST; the covariance of the pixels is smaller, and its eigenvectors are the
// same.
func NewComponents(ctx context.Context, pool *parallel.Pool, images *mnist.Split, dim int) (*Components, error) {
	pixels := images.Rows * images.Cols
	if pixels > MaxPixels {
		return nil, fmt.Errorf("images have %d pixels: at most %d", pixels, MaxPixels)
	}
	covariance, err := covariance(ctx, pool, images)
	if err != nil {
		return nil, err
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, errors.New("the eigenvalues of the covariance do not converge")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	c := &Components{Dim: min(dim, pixels)}
	c.vector = make([]float32, pixels*c.Dim)
	for j := range c.Dim {
		for i := range pixels {
			c.vector[i*c.Dim+j] = float32(vectors.At(i, pixels-1-j)) // they come in ascending order
		}
	}
	return c, nil
}

// covariance is that of the pixels, as bytes: 1/n sum x xᵀ - mean meanᵀ. The sums
// are exact.
func covariance(ctx context.Context, pool *parallel.Pool, images *mnist.Split) (*mat.SymDense, error) {
	n, pixels := images.Len(), images.Rows*images.Cols
	x := make([]float32, exactRows*pixels)
	product := make([]float32, pixels*pixels)
	sums, total := make([]float64, pixels*pixels), make([]float64, pixels)
	for lo := 0; lo < n; lo += exactRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := bytesOf(x, images, lo)
		for i, v := range rows.Data {
			total[i%pixels] += float64(v)
		}
		pool.Run((pixels+stripe-1)/stripe, func(_, task int) {
			from := task * stripe
			to := min(from+stripe, pixels)
			// The upper triangle is enough.
			left, right := rows, rows
			left.Cols, left.Data = to-from, rows.Data[from:]
			right.Cols, right.Data = pixels-from, rows.Data[from:]
			blas32.Gemm(blas.Trans, blas.NoTrans, 1, left, right, 0,
				blas32.General{Rows: to - from, Cols: pixels - from, Stride: pixels, Data: product[from*pixels+from:]})
			for i := from; i < to; i++ {
				for j := from; j < pixels; j++ {
					sums[i*pixels+j] += float64(product[i*pixels+j])
				}
			}
		})
	}
	c := mat.NewSymDense(pixels, nil)
	for i := range pixels {
		for j := i; j < pixels; j++ {
			c.SetSym(i, j, sums[i*pixels+j]/float64(n)-total[i]/float64(n)*(total[j]/float64(n)))
		}
	}
	return c, nil
}

// bytesOf returns up to exactRows images from number lo on, written to x.
func bytesOf(x []float32, images *mnist.Split, lo int) blas32.General {
	pixels := images.Rows * images.Cols
	rows := min(exactRows, images.Len()-lo)
	x = x[:rows*pixels]
	for i, b := range images.Pix[lo*pixels:][:len(x)] {
		x[i] = float32(b)
	}
	return blas32.General{Rows: rows, Cols: pixels, Stride: pixels, Data: x}
}

// Project returns the images' coordinates [n, Dim] along the components, without
// taking the mean off: distances do not depend on it.
func (c *Components) Project(images *mnist.Split) []float32 {
	pixels := images.Rows * images.Cols
	x := make([]float32, exactRows*pixels)
	z := make([]float32, images.Len()*c.Dim)
	for lo := 0; lo < images.Len(); lo += exactRows {
		rows := bytesOf(x, images, lo)
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, rows,
			blas32.General{Rows: pixels, Cols: c.Dim, Stride: c.Dim, Data: c.vector},
			0, blas32.General{Rows: rows.Rows, Cols: c.Dim, Stride: c.Dim, Data: z[lo*c.Dim:]})
	}
	return z
}
