//! Ciphers for media packets.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoError, SrtpProvider,
    SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

const TAG: usize = 16;

#[derive(Debug)]
pub(super) struct Srtp;

impl SrtpProvider for Srtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Self
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Self
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Self
    }

    // A key or block of another length is a mistake in str0m; the output stays as it was, and no packet decrypts.
    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        if let Ok(cipher) = Aes128::new_from_slice(key) {
            one_block(&cipher, input, output);
        }
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        if let Ok(cipher) = Aes256::new_from_slice(key) {
            one_block(&cipher, input, output);
        }
    }
}

fn one_block<C>(cipher: &C, input: &[u8], output: &mut [u8])
where
    C: BlockCipherEncrypt<BlockSize = aes::cipher::typenum::U16>,
{
    let (Ok(block), Some(output)) = (<[u8; 16]>::try_from(input), output.get_mut(..16)) else {
        return;
    };
    let mut block = block.into();
    cipher.encrypt_block(&mut block);
    output.copy_from_slice(&block);
}

impl SupportedAes128CmSha1_80 for Srtp {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(Counter(Aes128::new(&key.into())))
    }
}

impl SupportedAeadAes128Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Gcm::new(&AES_128_GCM, &key))
    }
}

impl SupportedAeadAes256Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 32], _encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Gcm::new(&AES_256_GCM, &key))
    }
}

/// AES in counter mode, which is its own inverse. ring does not offer it.
#[derive(Debug)]
struct Counter(Aes128);

impl Counter {
    fn apply(&self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) {
        let mut counter = u128::from_be_bytes(*iv);
        for (from, to) in input.chunks(16).zip(output.chunks_mut(16)) {
            let mut pad = counter.to_be_bytes().into();
            self.0.encrypt_block(&mut pad);
            for ((to, from), pad) in to.iter_mut().zip(from).zip(pad) {
                *to = from ^ pad;
            }
            counter = counter.wrapping_add(1);
        }
    }
}

impl Aes128CmSha1_80Cipher for Counter {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.apply(iv, input, output);
        Ok(())
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.apply(iv, input, output);
        Ok(())
    }
}

/// AES in Galois/counter mode; without a key when ring refuses the one given.
#[derive(Debug)]
struct Gcm(Option<LessSafeKey>);

impl Gcm {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        Self(UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new))
    }

    fn seal(&self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Option<()> {
        let (sealed, rest) = output.split_at_mut_checked(input.len())?;
        sealed.copy_from_slice(input);
        let nonce = Nonce::assume_unique_for_key(*iv);
        let tag = self
            .0
            .as_ref()?
            .seal_in_place_separate_tag(nonce, Aad::from(aad), sealed)
            .ok()?;
        rest.get_mut(..TAG)?.copy_from_slice(tag.as_ref());
        Some(())
    }

    fn open(&self, iv: &[u8; 12], aads: &[&[u8]], input: &[u8], output: &mut [u8]) -> Option<usize> {
        let (sealed, tag) = input.split_at_checked(input.len().checked_sub(TAG)?)?;
        let opened = output.get_mut(..sealed.len())?;
        opened.copy_from_slice(sealed);
        let nonce = Nonce::assume_unique_for_key(*iv);
        let tag = Tag::try_from(tag).ok()?;
        let key = self.0.as_ref()?;
        match aads {
            [aad] => key.open_in_place_separate_tag(nonce, Aad::from(*aad), tag, opened, 0..),
            parts => key.open_in_place_separate_tag(nonce, Aad::from(parts.concat()), tag, opened, 0..),
        }
        .ok()
        .map(|opened| opened.len())
    }
}

fn sealing_failed() -> CryptoError {
    CryptoError::Other("a packet could not be encrypted".to_owned())
}

fn opening_failed() -> CryptoError {
    CryptoError::Other("a packet is not authentic".to_owned())
}

impl AeadAes128GcmCipher for Gcm {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output).ok_or_else(sealing_failed)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output).ok_or_else(opening_failed)
    }
}

impl AeadAes256GcmCipher for Gcm {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output).ok_or_else(sealing_failed)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output).ok_or_else(opening_failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
            .collect()
    }

    // RFC 3711, appendix B.2.
    #[test]
    fn the_counter_mode_keystream_is_that_of_the_rfc() {
        let key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
        let iv = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000");
        let cipher = Counter(Aes128::new_from_slice(&key).expect("16 bytes"));
        let mut stream = [0; 40];
        cipher.apply(&iv.try_into().expect("16 bytes"), &[0; 40], &mut stream);
        assert_eq!(
            stream[..],
            bytes("e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd")
        );
    }

    // FIPS 197, appendices C.1 and C.3.
    #[test]
    fn blocks_are_encrypted_as_in_the_standard() {
        let input = bytes("00112233445566778899aabbccddeeff");
        let mut output = [0; 32];
        Srtp.srtp_aes_128_ecb_round(&bytes("000102030405060708090a0b0c0d0e0f"), &input, &mut output);
        assert_eq!(output[..16], bytes("69c4e0d86a7b0430d8cdb78070b4c55a"));
        let key = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        Srtp.srtp_aes_256_ecb_round(&key, &input, &mut output);
        assert_eq!(output[..16], bytes("8ea2b7ca516745bfeafc49904b496089"));
    }

    #[test]
    fn sealed_packets_open_and_forged_ones_do_not() {
        let gcm = Gcm::new(&AES_128_GCM, &[7; 16]);
        let mut sealed = [0; 5 + TAG];
        gcm.seal(&[1; 12], b"header", b"media", &mut sealed)
            .expect("sealed");
        let mut opened = [0; 5];
        assert_eq!(
            gcm.open(&[1; 12], &[b"hea", b"der"], &sealed, &mut opened),
            Some(5)
        );
        assert_eq!(&opened, b"media");
        sealed[0] ^= 1;
        assert_eq!(gcm.open(&[1; 12], &[b"header"], &sealed, &mut opened), None);
        assert_eq!(gcm.open(&[1; 12], &[b"header"], &[0; 3], &mut opened), None);
    }
}
