package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"vaectl/internal/eval"
)

// metric is a number of eval's report. Its estimate is nil where it was not
// measured.
type metric struct {
	name, what string
	digits     int // behind the point
	estimate   *eval.Estimate
}

const (
	iwaeMetric   = "iwae"
	activeMetric = "active_units"
	knnMetrics   = "knn_"
	pcaMetrics   = "pca_"
)

// lossMetrics are those that the table has a line for; the first three are in the
// training's units.
func lossMetrics(r *eval.Report) []metric {
	return []metric{
		{"loss", "as in training", 5, &r.Loss},
		{"reconstruction", "cross-entropy, mean over pixels", 5, &r.Reconstruction},
		{"kl", "weighted, mean over dimensions", 5, &r.KL},
		{"reconstruction_nats", "cross-entropy of an image", 2, &r.ReconstructionNats},
		{"kl_nats", "of the z that is drawn", 2, &r.KLNats},
		{"kl_trained_nats", "with z_log_var as log variance", 2, &r.KLTrainedNats},
		{"elbo", "KL weight 1", 2, &r.ELBO},
		{iwaeMetric, "importance-weighted bound", 2, r.IWAE},
	}
}

// metrics are all that a bound can be set on.
func metrics(r *eval.Report) []metric {
	all := lossMetrics(r)
	for _, k := range eval.NeighbourCounts() {
		knn, pca := metric{name: knnMetrics + strconv.Itoa(k)}, metric{name: pcaMetrics + strconv.Itoa(k)}
		if i := slices.IndexFunc(r.Accuracy, func(a eval.Accuracy) bool { return a.K == k }); i >= 0 {
			knn.estimate, pca.estimate = &r.Accuracy[i].Latent, r.Accuracy[i].PCA
		}
		all = append(all, knn, pca)
	}
	return append(all, metric{name: activeMetric, estimate: &eval.Estimate{Value: float64(r.Active)}})
}

// metricBound is what --fail-above or --fail-below asks.
type metricBound struct {
	flag, metric string
	value        float64
	above        bool
}

// boundFlag adds a repeatable flag for a bound on a metric.
func boundFlag(fs *pflag.FlagSet, p *[]metricBound, name string, above bool, usage string) {
	fs.Var(&value{"METRIC=VALUE", "", func(s string) error {
		metric, text, found := strings.Cut(s, "=")
		x, err := strconv.ParseFloat(text, 64)
		if !found || err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return errors.New("must be METRIC=VALUE with a number, such as loss=0.19")
		}
		var names []string
		for _, m := range metrics(new(eval.Report)) {
			names = append(names, m.name)
		}
		if !slices.Contains(names, metric) {
			return fmt.Errorf("METRIC must be one of %s", strings.Join(names, ", "))
		}
		*p = append(*p, metricBound{"--" + name, metric, x, above})
		return nil
	}}, name, usage)
}

// measurable refuses, before any work, a bound on what o leaves out.
func (b metricBound) measurable(o evalOptions) error {
	switch {
	case b.metric == iwaeMetric && o.samples == 0:
		return usagef("%s %s: this bound is measured with --iwae K only", b.flag, b.metric)
	case o.noNeighbours && (strings.HasPrefix(b.metric, knnMetrics) || strings.HasPrefix(b.metric, pcaMetrics)):
		return usagef("%s %s: --no-neighbours leaves it out", b.flag, b.metric)
	}
	return nil
}

// checkBounds returns an error that names every bound that is not kept.
func checkBounds(bounds []metricBound, r *eval.Report) error {
	var broken []string
	all := metrics(r)
	for _, b := range bounds {
		e := all[slices.IndexFunc(all, func(m metric) bool { return m.name == b.metric })].estimate
		switch {
		case e == nil:
			broken = append(broken, fmt.Sprintf("%s was not measured", b.metric))
		case b.above && e.Value > b.value:
			broken = append(broken, fmt.Sprintf("%s is %.6g, above %v", b.metric, e.Value, b.value))
		case !b.above && e.Value < b.value:
			broken = append(broken, fmt.Sprintf("%s is %.6g, below %v", b.metric, e.Value, b.value))
		}
	}
	if broken == nil {
		return nil
	}
	return errors.New(strings.Join(broken, "; "))
}

// printEvaluation prints the report as a table.
func printEvaluation(w io.Writer, e *evaluation) error {
	var out strings.Builder
	pixels := "grey"
	if e.Binarized {
		pixels = "binarized at 0.5"
	}
	fmt.Fprintf(&out, "%s, %s: %s images, pixels %s\n", e.Data, e.Split, thousands(e.Images), pixels)
	fmt.Fprintf(&out, "model: %s, %s noise, KL weight %v; draws from seed %d\n", dimensions(e.LatentDim), e.Noise, e.KLWeight, e.Seed)

	row := func(name, what, value, se string) {
		fmt.Fprintf(&out, "  %-20s %-32s %10s %9s\n", name, what, value, se)
	}
	heading := func(text string) { fmt.Fprintf(&out, "\n%-55s %10s %9s\n", text, "mean", "std. err.") }
	for i, m := range lossMetrics(e.Report) {
		switch i {
		case 0:
			heading("in the training's units")
		case 3:
			heading("in nats an image")
		}
		if m.estimate == nil {
			continue
		}
		if m.name == iwaeMetric {
			m.what += ", K = " + thousands(e.IWAESamples)
		}
		row(m.name, m.what, decimals(m.estimate.Value, m.digits), decimals(m.estimate.SE, m.digits))
	}
	if len(e.Accuracy) > 0 {
		heading("label of the nearest of " + thousands(e.References) + " training images")
		for _, a := range e.Accuracy {
			row(knnMetrics+strconv.Itoa(a.K), "by z_mean", percent(a.Latent.Value, 2), percent(a.Latent.SE, 2))
			if a.PCA != nil {
				row(pcaMetrics+strconv.Itoa(a.K), "by principal components", percent(a.PCA.Value, 2), percent(a.PCA.SE, 2))
			}
		}
	}
	fmt.Fprintf(&out, "\n%d of %s active (variance of z_mean above %v); collapse: %s\n",
		e.Active, dimensions(e.LatentDim), eval.ActiveVariance, e.Collapse)
	fmt.Fprintf(&out, "  %9s %9s %9s", "dimension", "variance", "kl_nats")
	for _, p := range eval.QuantileLevels {
		fmt.Fprintf(&out, " %8s", percent(p, 0))
	}
	out.WriteByte('\n')
	for j, d := range e.Dimension {
		fmt.Fprintf(&out, "  %9s %9.4f %9.4f", "z_"+strconv.Itoa(j+1), d.Variance, d.KLNats)
		for _, q := range d.Quantiles {
			fmt.Fprintf(&out, " %8.3f", q)
		}
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func dimensions(n int) string {
	if n == 1 {
		return "1 latent dimension"
	}
	return fmt.Sprintf("%d latent dimensions", n)
}

func decimals(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
func percent(x float64, digits int) string  { return decimals(100*x, digits) + "%" }
