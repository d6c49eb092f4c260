//! Two sinusoids laid over a piece of sound by least squares: how strong, at which frequencies, and what is left.
//!
//! ```text
//! x(t) ≈ a₁ cos ω₁t + b₁ sin ω₁t + a₂ cos ω₂t + b₂ sin ω₂t      t = 0 in the middle
//! ```
//! The frequencies are found by Gauss-Newton steps from a first guess, which must be within about half a cycle over
//! the piece.

use std::f64::consts::TAU;

use super::CLOCK_HZ;

/// Steps towards the frequencies; the second already changes little.
const STEPS: usize = 2;

/// Two tones and the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Their frequencies in Hz.
    pub(super) hertz: [f64; 2],
    /// Their mean squares.
    pub(super) power: [f64; 2],
    /// The part of the energy that is not theirs, 0 to 1.
    pub(super) rest: f64,
}

/// Lays two tones over the samples, from a first guess of their frequencies in Hz. `None`: they cannot be told apart.
pub(super) fn fit(samples: &[f32], guess: [f64; 2]) -> Option<Fit> {
    let mut hertz = guess;
    let mut amplitudes = solve(&normal::<4>(samples, hertz, &[0.0; 4]))?;
    for _ in 0..STEPS {
        let step = solve(&normal::<6>(samples, hertz, &amplitudes))?;
        let radian = f64::from(CLOCK_HZ) / TAU;
        hertz = [hertz[0] + step[4] * radian, hertz[1] + step[5] * radian];
        amplitudes = solve(&normal::<4>(samples, hertz, &[0.0; 4]))?;
    }
    let total: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let mut left = 0.0;
    each_basis(samples, hertz, |sample, _, basis| {
        let said: f64 = basis.iter().zip(&amplitudes).map(|(basis, amplitude)| basis * amplitude).sum();
        left += (sample - said).powi(2);
    });
    let power = |a: f64, b: f64| f64::midpoint(a * a, b * b);
    let [a1, b1, a2, b2] = amplitudes;
    (total > 0.0).then_some(Fit { hertz, power: [power(a1, b1), power(a2, b2)], rest: left / total })
}

/// Calls `act` for each sample with its time and the values of the four functions there.
fn each_basis(samples: &[f32], hertz: [f64; 2], mut act: impl FnMut(f64, f64, [f64; 4])) {
    let last = u32::try_from(samples.len().saturating_sub(1)).map_or(0.0, f64::from);
    let step = hertz.map(|hertz| TAU * hertz / f64::from(CLOCK_HZ));
    let turn = step.map(f64::sin_cos);
    let mut now = step.map(|step| (-step * last / 2.0).sin_cos());
    let mut time = -last / 2.0;
    for sample in samples {
        let [(s1, c1), (s2, c2)] = now;
        act(f64::from(*sample), time, [c1, s1, c2, s2]);
        for ((sine, cosine), (turn_sine, turn_cosine)) in now.iter_mut().zip(turn) {
            (*sine, *cosine) =
                (*sine * turn_cosine + *cosine * turn_sine, *cosine * turn_cosine - *sine * turn_sine);
        }
        time += 1.0;
    }
}

/// The normal equations, with the right side behind each row. With six unknowns the last two are the steps of the
/// two frequencies, in radians a sample, around these amplitudes.
fn normal<const N: usize>(samples: &[f32], hertz: [f64; 2], amplitudes: &[f64; 4]) -> [[f64; 7]; N] {
    let mut rows = [[0.0; 7]; N];
    let [a1, b1, a2, b2] = *amplitudes;
    each_basis(samples, hertz, |sample, time, [c1, s1, c2, s2]| {
        let functions = [c1, s1, c2, s2, time * (b1 * c1 - a1 * s1), time * (b2 * c2 - a2 * s2)];
        for (row, one) in rows.iter_mut().zip(functions) {
            for (cell, other) in row.iter_mut().zip(functions.iter().take(N)) {
                *cell += one * other;
            }
            row[6] += one * sample;
        }
    });
    rows
}

/// Gaussian elimination with the greatest pivot.
fn solve<const N: usize>(equations: &[[f64; 7]; N]) -> Option<[f64; N]> {
    let mut rows = *equations;
    for column in 0..N {
        let greatest =
            (column..N).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, greatest);
        let pivot = rows[column];
        if pivot[column].abs() < 1e-9 {
            return None;
        }
        for row in rows.iter_mut().skip(column + 1) {
            let factor = row[column] / pivot[column];
            for (cell, above) in row.iter_mut().zip(pivot) {
                *cell -= factor * above;
            }
        }
    }
    let mut found = [0.0; N];
    for index in (0..N).rev() {
        let known: f64 = (index + 1..N).map(|other| rows[index][other] * found[other]).sum();
        found[index] = (rows[index][6] - known) / rows[index][index];
    }
    Some(found)
}
