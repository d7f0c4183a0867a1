# Compares lines of ising (T, L, seed, m, error, energy, error) with the exact solution of the infinite lattice, away
# from the critical point. Prints what differs and fails; without lines on either side of the point it fails too.
#     m = (1 - sinh(2/T)^-4)^(1/8) below T_c, 0 above
#     e = -coth(2/T) (1 + 2/pi (2 tanh(2/T)^2 - 1) K(k)),  k = 2 sinh(2/T) / cosh(2/T)^2      (L. Onsager 1944)
function sinh(x) { return (exp(x) - exp(-x)) / 2 }
function cosh(x) { return (exp(x) + exp(-x)) / 2 }
function abs(x) { return x < 0 ? -x : x }

# The complete elliptic integral of the first kind, by the arithmetic-geometric mean.
function elliptic(k,    a, b, c) {
    a = 1
    b = sqrt(1 - k * k)
    while (abs(a - b) > 1e-14) {
        c = (a + b) / 2
        b = sqrt(a * b)
        a = c
    }
    return pi / (2 * a)
}

function exact_m(t) { return t < critical ? (1 - sinh(2 / t) ^ -4) ^ 0.125 : 0 }

function exact_e(t,    s, c) {
    s = sinh(2 / t)
    c = cosh(2 / t)
    return -c / s * (1 + 2 / pi * (2 * (s / c) ^ 2 - 1) * elliptic(2 * s / c ^ 2))
}

function error_of(sum, squares, n,    variance) {
    variance = squares / n - (sum / n) ^ 2
    return n > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0
}

function expect(what, t, found, wanted, allowed) {
    if (abs(found - wanted) <= allowed) return
    printf "T = %s: %s is %.5f, exact %.5f, allowed %.5f apart\n", t, what, found, wanted, allowed
    faults++
}

BEGIN {
    pi = atan2(0, -1)
    critical = 2 / log(1 + sqrt(2))
    away = 0.3
    finite_size = 0.001 # systematic: the lattice is small
    finite_size_above = 0.12 # |m| of 4096 spins in disorder: sqrt(2 kT chi / (pi N)), 0.09 at T_c + 0.3
    sigmas = 5
}

NF != 7 {
    printf "%s: not a line of ising: %s\n", FILENAME, $0
    faults++
}

{
    n[$1]++
    m[$1] += $4
    mm[$1] += $4 * $4
    e[$1] += $6
    ee[$1] += $6 * $6
}

END {
    for (t in n) {
        if (abs(t - critical) <= away) continue
        expect("energy", t, e[t] / n[t], exact_e(t), sigmas * error_of(e[t], ee[t], n[t]) + finite_size)
        if (t + 0 < critical) {
            below++
            expect("magnetisation", t, m[t] / n[t], exact_m(t), sigmas * error_of(m[t], mm[t], n[t]) + finite_size)
        } else {
            above++
            expect("magnetisation", t, m[t] / n[t], 0, finite_size_above)
        }
    }
    if (below < 5 || above < 5) {
        printf "%d temperatures below and %d above: too few to compare\n", below, above
        faults++
    }
    exit faults > 0
}
