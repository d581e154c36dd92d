// Command asm writes the vector kernels of package vec: the assembly and the Go
// stubs whose comments say which Go loop each kernel equals.
//
// It is a module of its own so that avo is no dependency of the program.
package main

import (
	"fmt"
	"os"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: asm kernels.s stubs.go")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "asm:", err)
		os.Exit(1)
	}
}

func generate(asmPath, stubPath string) error {
	c := build.NewContext()
	consts := declareConstants(c)
	for _, s := range []isa{avx512{c}, newAVX2(c)} {
		k := kernels{isa: s, Context: c, constants: consts}
		k.genRMSprop()
		k.genAdam()
		k.genSGD()
		k.genCrossEntropy()
		k.genSigmoid()
		k.genAdd()
		k.genReLUMask()
		k.genWinogradInput()
		k.genWinogradOutput()
		k.genWinogradGrad()
		k.genWinogradKernel()
		k.genWinogradKernelGrad()
	}

	f, err := c.Result()
	if err != nil {
		return fmt.Errorf("build the kernels: %w", err)
	}
	f.Includes = append(f.Includes, "textflag.h")
	if err := pass.Compile.Execute(f); err != nil {
		return fmt.Errorf("compile the kernels: %w", err)
	}
	cfg := printer.Config{Name: "internal/vec/asm", Pkg: "vec"}
	if err := write(asmPath, printer.NewGoAsm(cfg), f); err != nil {
		return err
	}
	return write(stubPath, printer.NewStubs(cfg), f)
}

func write(path string, p printer.Printer, f *ir.File) error {
	text, err := p.Print(f)
	if err != nil {
		return fmt.Errorf("print %s: %w", path, err)
	}
	return os.WriteFile(path, text, 0o644)
}
