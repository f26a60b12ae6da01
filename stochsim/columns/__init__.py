"""Formulas over columns: every chain or particle is a column, and a formula says what happens to one of them.

A vector of each column is an array (m, n), a number of each column an array (n,). Densities and samplers are
written once in this language (`stochsim.columns.ops`): given NumPy or CuPy arrays a formula runs at once,
operation by operation; given symbols it is traced, and written as one compiled kernel that takes blocks of
columns through all its steps in cache. Both round alike.
"""
