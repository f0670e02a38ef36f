//! How tools store the matrix of so many outputs and inputs.

use super::{Tensor, one};

pub fn bf16(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![one(&format!("{name}.weight"), "BF16", &[outputs, inputs])]
}

pub fn awq(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.qweight"), "I32", &[inputs, outputs / 8]),
        one(&format!("{name}.qzeros"), "I32", &[inputs / 128, outputs / 8]),
        one(&format!("{name}.scales"), "F16", &[inputs / 128, outputs]),
    ]
}

pub fn gptq(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.g_idx"), "I32", &[inputs]),
        one(&format!("{name}.qweight"), "I32", &[inputs / 8, outputs]),
        one(&format!("{name}.qzeros"), "I32", &[inputs / 128, outputs / 8]),
        one(&format!("{name}.scales"), "F16", &[inputs / 128, outputs]),
    ]
}

pub fn compressed(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight_packed"), "I32", &[outputs, inputs / 8]),
        one(&format!("{name}.weight_scale"), "BF16", &[outputs, inputs / 128]),
        one(&format!("{name}.weight_shape"), "I64", &[2]),
    ]
}

pub fn rows_of_bytes(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight"), "I8", &[outputs, inputs]),
        one(&format!("{name}.weight_scale"), "BF16", &[outputs, 1]),
    ]
}

pub fn blocks(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    let scales = [outputs.div_ceil(128), inputs.div_ceil(128)];
    vec![
        one(&format!("{name}.weight"), "F8_E4M3", &[outputs, inputs]),
        one(&format!("{name}.weight_scale_inv"), "F32", &scales),
    ]
}

pub fn nvfp4(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight"), "U8", &[outputs, inputs / 2]),
        one(&format!("{name}.weight_scale"), "F8_E4M3", &[outputs, inputs / 16]),
        one(&format!("{name}.weight_scale_2"), "F32", &[]),
        one(&format!("{name}.input_scale"), "F32", &[]),
    ]
}

pub fn mlx(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight"), "U32", &[outputs, inputs / 8]),
        one(&format!("{name}.scales"), "BF16", &[outputs, inputs / 64]),
        one(&format!("{name}.biases"), "BF16", &[outputs, inputs / 64]),
    ]
}

pub fn nf4(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    let (n, name) = (outputs * inputs, format!("{name}.weight"));
    vec![
        one(&name, "U8", &[n / 2, 1]),
        one(&format!("{name}.absmax"), "U8", &[n / 64]),
        one(&format!("{name}.nested_absmax"), "F32", &[n / 16384]),
        one(&format!("{name}.nested_quant_map"), "F32", &[256]),
        one(&format!("{name}.quant_map"), "F32", &[16]),
        one(&format!("{name}.quant_state.bitsandbytes__nf4"), "U8", &[81]),
    ]
}
