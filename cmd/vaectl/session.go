package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"vaectl/internal/modelfile"
	"vaectl/internal/train"
)

// session is one go at a training: from its beginning or where it was resumed, to
// its end or until something stops it.
type session struct {
	c     *console
	run   *train.Run
	files *trainFiles
	notes io.Writer
	quiet bool
	log   *trainLog     // nil: none
	limit time.Duration // 0: none
	until time.Time     // when the limit is reached
	again string        // the command line that resumes the training
}

// jumpedLoss is a batch's loss that deserves a word. At first it is log 2; this
// recipe's first steps, 3.2 times the learning rate for every weight, send the
// loss of many a seed far beyond that before it comes down.
const jumpedLoss = 100

// errTimeUp says that the limit is reached.
var errTimeUp = errors.New("the time is up")

// train trains to the end. Whatever ends it earlier, the files on disk are good,
// and all but a failure to write them or a loss that is not finite leaves the
// state of the latest step there.
func (s *session) train(ctx context.Context) error {
	if s.limit > 0 {
		s.until = time.Now().Add(s.limit)
	}
	for !s.run.Done() {
		if err := s.epoch(ctx); err != nil {
			return s.stopped(err)
		}
	}
	m := s.run.Model()
	if s.run.Stopped() {
		fmt.Fprintf(s.notes, "stopped early: no better %s for %d epochs\n", monitored(m.History), m.Config.Patience)
	}
	fmt.Fprintf(s.notes, "saved %s%s\n", s.files.model, whichWeights(m))
	return s.files.film.finish()
}

func (s *session) epoch(ctx context.Context) error {
	start, rate := time.Now(), s.run.LearningRate()
	filming := s.files.film.ended() == nil
	bar := newEpochBar(s.c, s.quiet)
	s.log.begin(s.run)
	var worst train.Progress
	var epochs int
	row, err := s.run.Epoch(ctx, func(p train.Progress) error {
		epochs = p.Epochs
		if p.Batch.Loss > worst.Batch.Loss {
			worst = p
		}
		bar.update(p)
		s.log.step(p)
		if p.Validating { // an evaluation begins anew, so it is let finish
			return nil
		}
		s.files.film.step(s.run)
		if s.limit > 0 && !time.Now().Before(s.until) {
			return errTimeUp
		}
		return s.files.afterStep(s.run)
	})
	bar.clear()
	if err != nil {
		return err
	}
	if err := s.files.saveEpoch(s.run); err != nil {
		return err
	}
	s.log.epoch(row)
	fmt.Fprintln(s.notes, epochLine(row, epochs, time.Since(start)))
	if worst.Batch.Loss > jumpedLoss {
		fmt.Fprintf(s.notes, "note: the loss jumped to %.3g at step %d; it recovers, but weighs on the epoch's mean (another --seed or a smaller --learning-rate avoids it)\n",
			worst.Batch.Loss, worst.Step)
	}
	if err := s.files.film.ended(); filming && err != nil {
		fmt.Fprintf(s.notes, "note: the film ends here: %v\n", err)
	}
	if now := s.run.LearningRate(); now != rate {
		fmt.Fprintf(s.notes, "note: %s is on a plateau; the learning rate is now %g\n", monitored([]modelfile.Epoch{row}), now)
	}
	return nil
}

// stopped saves what a stopped training has, as far as err lets it, and returns
// what to tell about it.
func (s *session) stopped(err error) error {
	s.files.film.save()
	epoch, step, steps := s.run.At()
	saved := "no model was saved"
	if epoch > 1 {
		saved = fmt.Sprintf("%s holds the model after epoch %d", s.files.model, epoch-1)
	}
	timeUp, interrupted := errors.Is(err, errTimeUp), errors.Is(err, context.Canceled)
	var diverged *train.DivergedError
	lower := saved + "; to begin anew with a smaller --learning-rate may help (--overwrite)"
	switch {
	case errors.As(err, &diverged):
		return &hintError{fmt.Errorf("training: %w", err), lower}
	case errors.Is(err, modelfile.ErrNotFinite): // the next step's loss would have told
		return &hintError{fmt.Errorf("training: diverged %s: %w", place(epoch, step, steps), err), lower}
	case !timeUp && !interrupted && s.files.state == "":
		return err // what could not be written is all there is
	case !timeUp && !interrupted:
		return &hintError{err, s.whole()}
	}
	if s.files.state != "" {
		if err := s.files.saveState(s.run); err != nil {
			return &hintError{err, s.whole()}
		}
		saved = "the training is saved; to go on: " + s.again
	}
	where := place(epoch, step, steps)
	if timeUp {
		fmt.Fprintf(s.notes, "stopped after %v %s\n%s\n", s.limit, where, saved)
		return nil
	}
	return &hintError{&interruptedError{where}, saved}
}

// whole is the hint after a file could not be written.
func (s *session) whole() string {
	return "the files of before are whole; to go on from there: " + s.again
}

// monitored is the name of the loss that decides what is an improvement.
func monitored(history []modelfile.Epoch) string {
	if len(history) > 0 && history[0].ValLoss == nil {
		return "loss"
	}
	return "val_loss"
}

// whichWeights tells whose weights m holds where they are not the last epoch's.
func whichWeights(m *modelfile.Model) string {
	if m.WeightsEpoch == len(m.History) {
		return ""
	}
	return fmt.Sprintf(", the weights of epoch %d, the best by val_loss", m.WeightsEpoch)
}

// epochLine is an epoch in one line, as Keras prints it.
func epochLine(e modelfile.Epoch, epochs int, took time.Duration) string {
	line := fmt.Sprintf("Epoch %d/%d - %.1fs - loss: %.4f - reconstruction: %.4f - kl: %.4f",
		e.Epoch, epochs, took.Seconds(), e.Loss, e.Reconstruction, e.KL)
	if e.ValLoss != nil {
		line += fmt.Sprintf(" - val_loss: %.4f - val_reconstruction: %.4f - val_kl: %.4f",
			*e.ValLoss, *e.ValReconstruction, *e.ValKL)
	}
	return line
}
