"""The struct by which compiled code is called is read from the header that declares it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from importlib import resources

import pytest

from immunescape.engine.native.job_struct import INPUTS, NUMBERS, RESULTS, JobStruct, enumerated, struct_fields

HEADER = (resources.files("immunescape.engine.codegen.c") / "kernels" / "driver.h").read_text(encoding="utf-8")


def test_every_field_lies_where_a_compiler_puts_it(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    declared = HEADER[HEADER.index("struct job {") : HEADER.index("};", HEADER.index("struct job {")) + 2]
    names = [name for name, _ in JobStruct._fields_]
    prints = "\n".join(f'printf("{n} %zu\\n", offsetof(struct job, {n}));' for n in names)
    program = tmp_path / "offsets.c"
    program.write_text(
        "#include <stdint.h>\n#include <stddef.h>\n#include <stdio.h>\n"
        f'{declared}\nint main(void) {{\n{prints}\nprintf("size %zu\\n", sizeof(struct job));\nreturn 0;\n}}\n'
    )
    subprocess.run([compiler, str(program), "-o", str(tmp_path / "offsets")], check=True, timeout=120)
    shown = subprocess.run([str(tmp_path / "offsets")], capture_output=True, text=True, check=True, timeout=60).stdout
    by_compiler = {name: int(at) for name, at in (line.split() for line in shown.splitlines())}
    here = {name: getattr(JobStruct, name).offset for name in names} | {"size": ctypes.sizeof(JobStruct)}
    assert here == by_compiler


def test_arrays_that_code_writes_are_told_from_those_it_reads():
    assert {"times", "pz", "atol", "until"} <= set(INPUTS)
    assert {"values", "final", "status", "cancel", "sensitivities"} <= set(RESULTS)
    assert INPUTS["out_index"] == "i4"
    assert RESULTS["status"] == "i1"
    assert (NUMBERS["IN_Q"], NUMBERS["SET_RATE"]) == (2, 2)


def test_a_field_that_is_added_to_the_header_is_there_at_its_place():
    fields = struct_fields("struct a {\n    int64_t n; /* how many; all */\n    const double *x, *y;\n};\n", "a")
    assert [(f.name, f.dtype, f.pointer, f.read_only) for f in fields] == [
        ("n", "i8", False, False),
        ("x", "f8", True, True),
        ("y", "f8", True, True),
    ]
    assert enumerated("enum { A, B = 7, C };\nenum { D = 2 };\n") == {"A": 0, "B": 7, "C": 8, "D": 2}


@pytest.mark.parametrize("declaration", ["float x", "struct other *x", "double x[3]", "int64_t **x"])
def test_a_declaration_of_another_form_is_refused(declaration):
    with pytest.raises(ValueError, match="neither a number nor a pointer"):
        struct_fields(f"struct a {{\n    {declaration};\n}};\n", "a")
