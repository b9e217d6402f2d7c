"""What proves the library and made its weights, and what only the book uses.

``scenes`` simulates recordings whose ground truth is known, ``metrics`` and ``bench`` measure how
right results are, ``training`` made the shipped weights, ``viz`` and ``explorers`` are the book's
figures. `spa2v_lib` imports none of it.
"""
