//! One operation on 64 lanes, compiled for every vector width that the processor may have.
//!
//! The bodies are one and the same; only the instructions differ. None of them may contract a
//! product and a sum, and what is no vector instruction is the scalar routine of the graph, so
//! that all widths agree bit by bit.

#![allow(clippy::indexing_slicing)] // lanes, by positions below the constant number of lanes

use super::{LANES, Slot, Step};
use crate::expr::Op;

/// A register: 64 values, aligned so that no vector lies across two cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Lane(pub [f64; LANES]);

/// The vector instructions in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Width {
    /// What every processor of the platform has.
    Baseline,
    /// 256 bits.
    Avx2,
    /// 512 bits.
    Avx512,
}

impl Width {
    /// All that this processor has, narrowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut widths = vec![Self::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                widths.push(Self::Avx2);
            }
            if has_avx512() {
                widths.push(Self::Avx512);
            }
        }
        widths
    }

    /// The widest that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Baseline)
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Runs steps on registers.
#[allow(unsafe_code)]
pub(super) fn run(width: Width, steps: &[Step], scalars: &[f64], lanes: &mut [Lane]) {
    match width {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has the instructions that the function is compiled for.
        Width::Avx512 if has_avx512() => unsafe { run_avx512(steps, scalars, lanes) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Width::Avx2 | Width::Avx512 if is_x86_feature_detected!("avx2") => unsafe {
            run_avx2(steps, scalars, lanes);
        },
        _ => run_here(steps, scalars, lanes),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(steps: &[Step], scalars: &[f64], lanes: &mut [Lane]) {
    run_here(steps, scalars, lanes);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512vl")]
fn run_avx512(steps: &[Step], scalars: &[f64], lanes: &mut [Lane]) {
    run_here(steps, scalars, lanes);
}

#[inline(always)]
fn run_here(steps: &[Step], scalars: &[f64], lanes: &mut [Lane]) {
    for step in steps {
        match step.op {
            Op::Add => binary(step, scalars, lanes, |a, b| a + b),
            Op::Sub => binary(step, scalars, lanes, |a, b| a - b),
            Op::Mul => binary(step, scalars, lanes, |a, b| a * b),
            Op::Div => binary(step, scalars, lanes, |a, b| a / b),
            Op::Min => binary(step, scalars, lanes, |a, b| {
                let least = if b < a { b } else { a };
                if b.is_nan() { b } else { least }
            }),
            Op::Max => binary(step, scalars, lanes, |a, b| {
                let most = if b > a { b } else { a };
                if b.is_nan() { b } else { most }
            }),
            Op::Lt => binary(step, scalars, lanes, |a, b| truth(a < b, a, b)),
            Op::Le => binary(step, scalars, lanes, |a, b| truth(a <= b, a, b)),
            Op::Eq => binary(step, scalars, lanes, |a, b| truth(a == b, a, b)),
            Op::Ne => binary(step, scalars, lanes, |a, b| truth(a != b, a, b)),
            Op::And => binary(step, scalars, lanes, |a, b| {
                let both = truth(true, a, b);
                if a == 0.0 || b == 0.0 { 0.0 } else { both }
            }),
            Op::Or => binary(step, scalars, lanes, |a, b| {
                let none = truth(false, a, b);
                let yes = (!a.is_nan() & (a != 0.0)) | (!b.is_nan() & (b != 0.0));
                if yes { 1.0 } else { none }
            }),
            Op::Mod => binary(step, scalars, lanes, |a, b| {
                let rest = a - b * (a / b).floor();
                if b == 0.0 { 0.0 } else { rest }
            }),
            Op::Pow => power(step, scalars, lanes),
            Op::Gcd => binary(step, scalars, lanes, |a, b| Op::Gcd.apply(a, b, b)),
            Op::Neg => unary(step, scalars, lanes, |a| -a),
            Op::Ceil => unary(step, scalars, lanes, f64::ceil),
            Op::Floor => unary(step, scalars, lanes, f64::floor),
            Op::Sqrt => unary(step, scalars, lanes, f64::sqrt),
            Op::Log2 => unary(step, scalars, lanes, |a| Op::Log2.apply(a, a, a)),
            Op::Not => unary(step, scalars, lanes, |a| truth(a == 0.0, a, a)),
            Op::Select => select(step, scalars, lanes),
            // Leaves and names are no steps.
            Op::Const | Op::Param | Op::Named => {}
        }
    }
}

#[inline(always)]
fn truth(holds: bool, a: f64, b: f64) -> f64 {
    let value = if holds { 1.0 } else { 0.0 };
    if a.is_nan() | b.is_nan() { f64::NAN } else { value }
}

fn scalar(scalars: &[f64], at: u32) -> f64 {
    scalars.get(at as usize).copied().unwrap_or(f64::NAN)
}

/// Writes all lanes. The loop runs over positions because chains of iterators are not always
/// compiled for the wider vectors.
#[inline(always)]
fn each(to: &mut Lane, f: impl Fn(usize) -> f64) {
    for i in 0..LANES {
        to.0[i] = f(i);
    }
}

#[inline(always)]
fn unary(step: &Step, scalars: &[f64], lanes: &mut [Lane], f: impl Fn(f64) -> f64) {
    let [a, ..] = step.operands;
    match a {
        Slot::Vector(a) => {
            if let Ok([to, a]) = lanes.get_disjoint_mut([step.to as usize, a as usize]) {
                each(to, |i| f(a.0[i]));
            }
        }
        Slot::Scalar(a) => fill(step.to, f(scalar(scalars, a)), lanes),
    }
}

#[inline(always)]
fn fill(to: u32, value: f64, lanes: &mut [Lane]) {
    if let Some(to) = lanes.get_mut(to as usize) {
        to.0 = [value; LANES];
    }
}

#[inline(always)]
fn binary(step: &Step, scalars: &[f64], lanes: &mut [Lane], f: impl Fn(f64, f64) -> f64) {
    let to = step.to as usize;
    let [a, b, _] = step.operands;
    match (a, b) {
        (Slot::Vector(a), Slot::Vector(b)) if a == b => {
            if let Ok([to, a]) = lanes.get_disjoint_mut([to, a as usize]) {
                each(to, |i| f(a.0[i], a.0[i]));
            }
        }
        (Slot::Vector(a), Slot::Vector(b)) => {
            if let Ok([to, a, b]) = lanes.get_disjoint_mut([to, a as usize, b as usize]) {
                each(to, |i| f(a.0[i], b.0[i]));
            }
        }
        (Slot::Vector(a), Slot::Scalar(b)) => {
            let b = scalar(scalars, b);
            if let Ok([to, a]) = lanes.get_disjoint_mut([to, a as usize]) {
                each(to, |i| f(a.0[i], b));
            }
        }
        (Slot::Scalar(a), Slot::Vector(b)) => {
            let a = scalar(scalars, a);
            if let Ok([to, b]) = lanes.get_disjoint_mut([to, b as usize]) {
                each(to, |i| f(a, b.0[i]));
            }
        }
        (Slot::Scalar(a), Slot::Scalar(b)) => {
            fill(step.to, f(scalar(scalars, a), scalar(scalars, b)), lanes);
        }
    }
}

/// A known exponent is looked at once, not in every lane.
#[inline(always)]
fn power(step: &Step, scalars: &[f64], lanes: &mut [Lane]) {
    let [_, b, _] = step.operands;
    let exponent = match b {
        Slot::Scalar(b) => scalar(scalars, b),
        Slot::Vector(_) => f64::NAN,
    };
    match exponent {
        2.0 => unary(step, scalars, lanes, |a| a * a),
        0.5 => unary(step, scalars, lanes, f64::sqrt),
        -1.0 => unary(step, scalars, lanes, |a| 1.0 / a),
        _ => binary(step, scalars, lanes, |a, b| Op::Pow.apply(a, b, b)),
    }
}

#[inline(always)]
fn select(step: &Step, scalars: &[f64], lanes: &mut [Lane]) {
    let choose = |c: f64, a: f64, b: f64| {
        let taken = if c != 0.0 { a } else { b };
        if c.is_nan() { f64::NAN } else { taken }
    };
    let to = step.to as usize;
    match step.operands {
        [Slot::Vector(c), Slot::Vector(a), Slot::Vector(b)] if c != a && c != b && a != b => {
            let at = [to, c as usize, a as usize, b as usize];
            if let Ok([to, c, a, b]) = lanes.get_disjoint_mut(at) {
                each(to, |i| choose(c.0[i], a.0[i], b.0[i]));
            }
        }
        [Slot::Vector(c), Slot::Vector(a), Slot::Scalar(b)] if c != a => {
            let b = scalar(scalars, b);
            if let Ok([to, c, a]) = lanes.get_disjoint_mut([to, c as usize, a as usize]) {
                each(to, |i| choose(c.0[i], a.0[i], b));
            }
        }
        [Slot::Vector(c), Slot::Scalar(a), Slot::Vector(b)] if c != b => {
            let a = scalar(scalars, a);
            if let Ok([to, c, b]) = lanes.get_disjoint_mut([to, c as usize, b as usize]) {
                each(to, |i| choose(c.0[i], a, b.0[i]));
            }
        }
        [Slot::Vector(c), Slot::Scalar(a), Slot::Scalar(b)] => {
            let (a, b) = (scalar(scalars, a), scalar(scalars, b));
            if let Ok([to, c]) = lanes.get_disjoint_mut([to, c as usize]) {
                each(to, |i| choose(c.0[i], a, b));
            }
        }
        [Slot::Scalar(c), a, b] => {
            let c = scalar(scalars, c);
            let taken = if c != 0.0 { a } else { b };
            match taken {
                _ if c.is_nan() => fill(step.to, f64::NAN, lanes),
                Slot::Scalar(taken) => fill(step.to, scalar(scalars, taken), lanes),
                Slot::Vector(taken) => {
                    if let Ok([to, taken]) = lanes.get_disjoint_mut([to, taken as usize]) {
                        to.0 = taken.0;
                    }
                }
            }
        }
        // An operand twice: rare enough to be copied.
        [c, a, b] => {
            let read = |slot: Slot| match slot {
                Slot::Scalar(at) => Lane([scalar(scalars, at); LANES]),
                Slot::Vector(at) => {
                    lanes.get(at as usize).copied().unwrap_or(Lane([f64::NAN; LANES]))
                }
            };
            let (c, a, b) = (read(c), read(a), read(b));
            if let Some(to) = lanes.get_mut(to) {
                each(to, |i| choose(c.0[i], a.0[i], b.0[i]));
            }
        }
    }
}
