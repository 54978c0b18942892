"""Reads Cairo PIEs with cairo-lang for the tests beside it: one JSON request a line on stdin, one JSON answer a line.

A request is {"path": PIE, "copy": where to write it again (optional)}. The answer holds what cairo-lang finds, or
{"error": text} where it refuses the PIE.
"""
import json
import sys

from starkware.cairo.bootloaders.aggregator_utils import add_aggregator_prefix
from starkware.cairo.bootloaders.generate_fact import get_cairo_pie_fact_info, get_program_hash, get_program_output
from starkware.cairo.lang.vm.cairo_pie import CairoPie
from starkware.cairo.lang.vm.crypto import poseidon_hash_many


def attempt(function):
    try:
        return function()
    except Exception as e:  # An assertion is how cairo-lang refuses.
        return f"error: {type(e).__name__}: {e}"


def answer(request):
    pie = CairoPie.from_file(request["path"])
    pie.run_validity_checks()
    if "copy" in request:
        pie.to_file(request["copy"])
    program, output = get_program_hash(pie), get_program_output(pie)
    return {
        "version": pie.version["cairo_pie"],
        "program": hex(program),
        "aggregator_program": hex(add_aggregator_prefix(program)),
        "output": [hex(x) for x in output],
        "steps": pie.execution_resources.n_steps,
        "cells": len(pie.memory),
        "poseidon": hex(poseidon_hash_many(output)),
        "fact": attempt(lambda: get_cairo_pie_fact_info(pie, program_hash=program).fact),
        "aggregator_fact": attempt(lambda: get_cairo_pie_fact_info(pie, program_hash=program, aggregator=True).fact),
    }


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as e:
        result = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(result), flush=True)
