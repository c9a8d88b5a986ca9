"""`make bench`: every benchmark, one after the other."""

from __future__ import annotations

from . import aei, fsgan, mesh, paste, poisson, stylegan2, views

if __name__ == "__main__":
    for benchmark in (paste, poisson, mesh, aei, fsgan, stylegan2, views):
        benchmark.main()
