// Command asm writes the vector kernels of package gemm: the assembly and the
// Go stubs whose comments say which Go loop each kernel equals.
//
// It is a module of its own so that avo is no dependency of the program.
package main

import (
	"fmt"
	"go/token"
	"go/types"
	"os"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
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
	for _, s := range []isa{newAVX512(c), newAVX2(c)} {
		genTile(s)
		genPeak(s)
	}
	genTranspose(c)

	f, err := c.Result()
	if err != nil {
		return fmt.Errorf("build the kernels: %w", err)
	}
	// go_asm.h holds the field offsets of struct tile, so that the compiler,
	// not this program, keeps the two sides in step.
	f.Includes = append(f.Includes, "go_asm.h", "textflag.h")
	if err := pass.Compile.Execute(f); err != nil {
		return fmt.Errorf("compile the kernels: %w", err)
	}
	cfg := printer.Config{Name: "internal/gemm/asm", Pkg: "gemm"}
	if err := write(asmPath, printer.NewGoAsm(cfg), f); err != nil {
		return err
	}
	return write(stubPath, printer.NewStubs(cfg), f)
}

// function starts an assembly function whose arguments do not escape.
func function(c *build.Context, name, signature string, doc ...string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	sig, err := gotypes.ParseSignatureInPackage(gemm(), signature)
	if err != nil {
		panic(fmt.Sprintf("signature of %s: %v", name, err))
	}
	c.Signature(sig)
	c.Doc(doc...)
}

// gemm stands for the package that the kernels become part of: it declares the
// types that their signatures name.
func gemm() *types.Package {
	p := types.NewPackage("vaectl/internal/gemm", "gemm")
	name := types.NewTypeName(token.NoPos, p, "tile", nil)
	types.NewNamed(name, types.NewStruct(nil, nil), nil)
	p.Scope().Insert(name)
	return p
}

func write(path string, p printer.Printer, f *ir.File) error {
	text, err := p.Print(f)
	if err != nil {
		return fmt.Errorf("print %s: %w", path, err)
	}
	return os.WriteFile(path, text, 0o644)
}
