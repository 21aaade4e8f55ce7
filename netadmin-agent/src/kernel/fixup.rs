//! Puts the numbers of kernel functions into the object, before it is loaded:
//! aya resolves no kfuncs.

/// `call 0x7fff0001`, as the programs have it (netadmin-ebpf/src/kernel/cast.rs):
/// an operation, registers, an offset of two bytes, and a number that no helper has.
const PLACEHOLDER: [u8; 8] = [0x85, 0, 0, 0, 0x01, 0x00, 0xff, 0x7f];
/// `BPF_PSEUDO_KFUNC_CALL` as source register.
const KFUNC_CALL: [u8; 4] = [0x85, 0x20, 0, 0];

/// The object with its calls of `bpf_rdonly_cast` as calls of kernel function
/// `number`. Without one they stay, in branches that the verifier never takes.
pub fn with_rdonly_cast(object: &[u8], number: Option<u32>) -> Vec<u8> {
    let mut object = object.to_vec();
    let Some(number) = number else {
        return object;
    };
    // Instructions are aligned in their sections, and those in the file.
    for instruction in object.chunks_exact_mut(PLACEHOLDER.len()) {
        if instruction == PLACEHOLDER {
            instruction[..4].copy_from_slice(&KFUNC_CALL);
            instruction[4..].copy_from_slice(&number.to_le_bytes());
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn a_placeholder_becomes_a_kfunc_call() {
        let object = [EXIT, PLACEHOLDER, EXIT].concat();
        let call = [0x85, 0x20, 0, 0, 0x04, 0x03, 0x02, 0x01];
        let fixed = with_rdonly_cast(&object, Some(0x0102_0304));
        assert_eq!(fixed, [EXIT, call, EXIT].concat());
    }

    #[test]
    fn without_the_kfunc_nothing_changes() {
        let object = [EXIT, PLACEHOLDER].concat();
        assert_eq!(with_rdonly_cast(&object, None), object);
    }
}
