package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var (
	trainings = flag.Int("trainings", 3, "trainings that TestKilledTrainings kills")
	killSeed  = flag.Uint64("killseed", 1, "seed of the moments at which it does")
)

// Trainings that SIGKILL ends at random moments, several times over, and that are
// resumed at other numbers of workers, leave the model file and the film of an
// uninterrupted one, byte for byte. "make torture" does this at length.
func TestKilledTrainings(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"train", "--data", "sample", "--limit-train", "128", "--limit-val", "64", "--epochs", "3",
		"--learning-rate", "0.003", "--reduce-on-plateau", "--plateau-patience", "1", "--quiet", "--film-every", "5"}
	start := time.Now()
	whole := filepath.Join(dir, "whole")
	if p := begin(t, slices.Concat(settings, []string{"-m", whole, "--film", whole + ".gif"})...); p.end(t) != 0 {
		t.Fatalf("the uninterrupted training said %q", &p.stderr)
	}
	took := time.Since(start)
	want := modelAndFilm(t, whole)

	rng := rand.New(rand.NewPCG(*killSeed, 0))
	t.Logf("%d trainings of %.1f s, seed %d", *trainings, took.Seconds(), *killSeed)
	equal, killed := 0, 0
	for i := range *trainings {
		model := filepath.Join(dir, fmt.Sprint("killed", i))
		limit, kills := took, 0
		var moments []string
		for done := false; !done; {
			// The training's first process must be killed; later ones are while
			// there is time left that an uninterrupted one would take.
			moment := time.Duration(rng.Float64() * float64(limit))
			again := kills == 0 || kills < 4 && rng.IntN(2) == 0
			args := slices.Concat(settings, []string{
				"-m", model, "--film", model + ".gif", "--workers", fmt.Sprint(1 + rng.IntN(4)), "--checkpoint-every", fmt.Sprint(rng.IntN(6)),
			})
			if _, err := os.Stat(model + ".state"); err == nil {
				args = append(args, "--resume")
			}
			p := begin(t, args...)
			if again {
				time.AfterFunc(moment, func() { _ = p.Process.Kill() }) // no error if it has ended
			}
			switch p.end(t) {
			case 0:
				done = kills > 0
				if !done { // it was faster than the first
					limit = limit * 3 / 4
					if err := os.Remove(model + ".state"); err != nil {
						t.Fatal(err)
					}
				}
			case -1:
				kills++
				moments = append(moments, fmt.Sprintf("%.3f", moment.Seconds()))
			default:
				t.Fatalf("training %d said %q", i, &p.stderr)
			}
		}
		killed += kills
		result := "equal"
		if modelAndFilm(t, model) == want {
			equal++
		} else {
			result = "NOT EQUAL"
			t.Errorf("training %d ended with another model or film", i)
		}
		t.Logf("training %d, killed after %v s: %s", i, moments, result)
	}
	t.Logf("%d of %d equal, after %d kills", equal, *trainings, killed)
}

// modelAndFilm are the bytes of both files.
func modelAndFilm(t *testing.T, model string) (files [2]string) {
	t.Helper()
	for i, path := range []string{model, model + ".gif"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = string(data)
	}
	return files
}
