#!/usr/bin/env python3
"""Writes the reference numbers that `tests/reference.rs` compares with.

The numbers come from SciPy and statsmodels; the operating characteristics of sequential tests from NumPy alone: a dense matrix of
(trials, failures), all boundaries looked up trial by trial, where the crate walks a narrow band. The exact test over strata is in none of them:
every way to split the failures of every stratum is counted one by one, in fractions.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    venv/bin/python rig/statistics/tests/reference/make.py
"""

import csv
import fractions
import itertools
import math
import pathlib

import numpy
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

HERE = pathlib.Path(__file__).parent


def write(name, header, rows):
    with open(HERE / f"{name}.csv", "w", newline="") as file:
        file.write(f"# scipy {scipy.__version__}, statsmodels {statsmodels.__version__}, numpy {numpy.__version__}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([repr(float(x)) if isinstance(x, float) else x for x in row] for row in rows)


def proportions():
    pairs = [(0, 1), (1, 1), (0, 5), (1, 5), (5, 5), (0, 50), (3, 50), (25, 50), (0, 300), (1, 300), (2, 300), (0, 1000), (96, 15000),
             (999, 1000), (1, 27500), (500, 1000), (7000, 20000), (0, 83214), (12, 1000000)]
    for (k, n), confidence in itertools.product(pairs, [0.90, 0.95, 0.99, 0.999]):
        a = 1 - confidence
        low = 0.0 if k == 0 else float(stats.beta.ppf(a / 2, k, n - k + 1))
        high = 1.0 if k == n else float(stats.beta.isf(a / 2, k + 1, n - k))
        upper = 1.0 if k == n else float(stats.beta.isf(a, k + 1, n - k))
        wilson = proportion_confint(k, n, alpha=a, method="wilson")
        yield k, n, confidence, low, high, upper, float(wilson[0]), float(wilson[1])


def success_runs():
    for p, confidence in itertools.product([0.5, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001, 3.6e-5], [0.90, 0.95, 0.99]):
        # By counting from the distribution, not by the formula.
        n = max(1, math.floor(math.log(1 - confidence) / math.log(1 - p)) - 2)
        while stats.binom.pmf(0, n, p) > 1 - confidence:
            n += 1
        yield p, confidence, n


def fishers():
    tables = [(10, 50, 0, 50), (5, 50, 0, 50), (6, 300, 0, 300), (1, 50, 0, 150), (0, 10, 0, 10), (3, 3, 0, 4), (8, 20, 3, 25),
              (2, 40, 5, 30), (40, 200, 21, 180), (17, 1000, 9, 2500), (0, 7, 5, 9), (50, 50, 50, 50), (300, 5000, 220, 5000)]
    for k, m, j, n in tables:
        table = [[k, m - k], [j, n - j]]
        more = stats.fisher_exact(table, alternative="greater").pvalue
        both = stats.fisher_exact(table, alternative="two-sided").pvalue
        yield k, m, j, n, float(more), float(both)


# Two boards, or two firmwares, at the same questions: failures and trials of the first one, and of the others.
STRATA = [
    # Penicillin given to rabbits at once or late, at five doses (Agresti, "An Introduction to Categorical Data Analysis"): `?mantelhaen.test`
    # of R gives p = 0.020 for the exact test that is one-sided.
    [(0, 6, 0, 5), (3, 6, 0, 6), (6, 6, 2, 6), (5, 6, 6, 6), (2, 2, 5, 5)],
    [(10, 50, 0, 50)],
    [(3, 4, 1, 9), (2, 5, 1, 9)],
    [(0, 4, 3, 9), (0, 5, 2, 9), (1, 6, 5, 7)],
    # Simpson: the first side got the firmware that fails, and fails no more in either stratum.
    [(40, 80, 5, 10), (1, 10, 8, 80)],
    # Nothing can be seen in these but in the last one.
    [(0, 9, 0, 70), (5, 5, 2, 2), (3, 8, 0, 0), (4, 6, 1, 20)],
    [(0, 3, 0, 4)],
    [(1, 1, 0, 1)] * 6,
    [(9, 12, 0, 20), (8, 12, 0, 20)],
    [(1, 20, 3, 180), (0, 20, 2, 180), (2, 20, 1, 180), (1, 20, 0, 180)],
    [(2, 3, 1, 2), (0, 2, 2, 2), (1, 4, 1, 1), (3, 3, 0, 2), (1, 1, 2, 7), (0, 1, 1, 1)],
]


def strata():
    for case, tables in enumerate(STRATA):
        # Of each stratum, how many of its failures fall on the first side, for every way in which they could.
        splits = [[(x, math.comb(m, x) * math.comb(n, k + j - x)) for x in range(m + 1) if 0 <= k + j - x <= n] for k, m, j, n in tables]
        seen = sum(k for k, _, _, _ in tables)
        ways = {"all": 0, "more": 0, "most": 0}
        most = sum(split[-1][0] for split in splits)
        for chosen in itertools.product(*splits):
            failures, count = sum(x for x, _ in chosen), math.prod(count for _, count in chosen)
            ways["all"] += count
            ways["more"] += count if failures >= seen else 0
            ways["most"] += count if failures == most else 0
        p, least = (float(fractions.Fraction(ways[which], ways["all"])) for which in ("more", "most"))
        if len(tables) == 1:
            (k, m, j, n), = tables
            assert math.isclose(p, stats.fisher_exact([[k, m - k], [j, n - j]], alternative="greater").pvalue, rel_tol=1e-9)
        if case == 0:
            assert f"{p:.3f}" == "0.020", p
        for table in tables:
            yield case, *table, p, least


def median_ranks():
    confidences = [fractions.Fraction(text) for text in ("0.5", "0.75", "0.9", "0.95", "0.99", "0.999")]
    for n, confidence in itertools.product([*range(0, 41), 50, 64, 99, 100, 101, 365, 1000, 4095, 20000, 1000000], confidences):
        tail = (1 - confidence) / 2
        # The last rank below which the median lies no more often than the tail allows; -1 if there is none. A value is below the median
        # as often as a coin shows heads.
        rank = int(stats.binom.ppf(float(tail), n, 0.5)) if n else 0
        rank = min(rank + 1, n - 1)
        if n <= 1000:
            below = lambda rank: fractions.Fraction(sum(math.comb(n, heads) for heads in range(rank + 1)), 2**n)
        else:
            below = lambda rank: float(stats.binom.cdf(rank, n, 0.5))
        while rank >= 0 and below(rank) > tail:
            rank -= 1
        if rank >= 0:
            # The same of the order statistic itself: the share of a sample's values below its value of that rank has a beta distribution.
            outside = float(stats.beta.sf(0.5, rank + 1, n - rank))
            assert math.isclose(outside, float(below(rank)), rel_tol=1e-9), (n, confidence, rank)
        yield n, float(confidence), rank, n - 1 - rank if rank >= 0 else -1


def holms():
    cases = [[0.01, 0.04, 0.03, 0.005], [0.05], [0.5, 0.5, 0.5], [0.001, 0.2, 0.0009, 0.9, 0.04, 0.04], [1.0, 0.0]]
    for case, values in enumerate(cases):
        for p, adjusted in zip(values, multipletests(values, method="holm")[1]):
            yield case, float(p), float(adjusted)


def characteristics():
    """Wald's own boundaries with a cap: what the crate computes before it calibrates."""
    for p0, p1, cap in [(0.01, 0.05, 300), (0.001, 0.02, 400), (0.05, 0.2, 60), (0.1, 0.15, 500)]:
        up = math.log((1 - 0.05) / 0.05)
        down = math.log(0.05 / (1 - 0.05))
        for p in [0.0, p0, (p0 + p1) / 2, p1, 2 * p1]:
            live = numpy.zeros(cap + 1)
            live[0] = 1.0
            not_fixed = fixed = average = 0.0
            k = numpy.arange(cap + 1)
            for n in range(1, cap + 1):
                average += live.sum()
                live = live * (1 - p) + numpy.concatenate([[0.0], live[:-1] * p])
                ratio = k * math.log(p1 / p0) + (n - k) * math.log((1 - p1) / (1 - p0))
                not_fixed += live[ratio >= up].sum()
                fixed += live[ratio <= down].sum()
                live[(ratio >= up) | (ratio <= down)] = 0.0
            yield p0, p1, cap, up, -down, p, float(not_fixed), float(fixed), float(live.sum()), float(average)


write("proportion", ["failures", "trials", "confidence", "cp_low", "cp_high", "cp_upper", "wilson_low", "wilson_high"], proportions())
write("success-run", ["p", "confidence", "trials"], success_runs())
write("fisher", ["baseline_failures", "baseline_trials", "candidate_failures", "candidate_trials", "baseline_more", "differ"], fishers())
write("strata", ["case", "failures", "trials", "other_failures", "other_trials", "p", "least"], strata())
write("median-ranks", ["n", "confidence", "low", "high"], median_ranks())
write("holm", ["case", "p", "adjusted"], holms())
write("characteristic", ["p0", "p1", "cap", "up", "down", "p", "not_fixed", "fixed", "inconclusive", "average_trials"], characteristics())
