"""Reads Cairo PIEs with cairo-lang for the tests beside it: one JSON request a line on stdin, one JSON answer a line.

A request is {"path": PIE, "function": "pedersen" or "blake", "copy": where to write it again (optional)}, or {"program": name of a
fake program of one word, "function"}, or {"blake": hex felts}, or {"elements": hex felts} for Pedersen. The answer holds what
cairo-lang finds, or {"error": text} where it refuses the PIE.
"""
import json
import sys

from starkware.cairo.bootloaders.aggregator_utils import add_aggregator_prefix
from starkware.cairo.bootloaders.generate_fact import get_cairo_pie_fact_info, get_program_hash, get_program_output
from starkware.cairo.bootloaders.hash_program import HashFunction, compute_program_hash_chain
from starkware.cairo.common.cairo_blake2s.blake2s_utils import calculate_blake2s_hash_from_felt252s
from starkware.cairo.common.hash_state import compute_hash_on_elements
from starkware.cairo.lang.compiler.program import StrippedProgram
from starkware.cairo.lang.vm.cairo_pie import CairoPie
from starkware.cairo.lang.vm.crypto import poseidon_hash_many


def attempt(function):
    try:
        return function()
    except Exception as e:  # An assertion is how cairo-lang refuses.
        return f"error: {type(e).__name__}: {e}"


PRIME = 2**251 + 17 * 2**192 + 1


def numbers(felts):
    return [int(x, 16) for x in felts]


def answer(request):
    if "blake" in request:
        data = numbers(request["blake"])
        return {"program": hex(calculate_blake2s_hash_from_felt252s(data=data, encode=True, little_endian=False))}
    if "elements" in request:
        return {"program": hex(compute_hash_on_elements(numbers(request["elements"])))}
    function = HashFunction[request["function"].upper()]
    if "program" in request:
        word = int.from_bytes(request["program"].encode("ascii"), "big")
        program = compute_program_hash_chain(StrippedProgram(prime=PRIME, data=[word], builtins=["output"], main=0), function)
        return {"program": hex(program), "aggregator_program": hex(add_aggregator_prefix(program, function))}
    pie = CairoPie.from_file(request["path"])
    pie.run_validity_checks()
    if "copy" in request:
        pie.to_file(request["copy"])
    program, output = get_program_hash(pie, function), get_program_output(pie)
    return {
        "version": pie.version["cairo_pie"],
        "program": hex(program),
        "aggregator_program": hex(add_aggregator_prefix(program, function)),
        "output": [hex(x) for x in output],
        "steps": pie.execution_resources.n_steps,
        "cells": len(pie.memory),
        "poseidon": hex(poseidon_hash_many(output)),
        "fact": attempt(lambda: get_cairo_pie_fact_info(pie, function, program_hash=program).fact),
        "aggregator_fact": attempt(lambda: get_cairo_pie_fact_info(pie, function, program_hash=program, aggregator=True).fact),
    }


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as e:
        result = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(result), flush=True)
