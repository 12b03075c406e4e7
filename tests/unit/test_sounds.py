"""The promises of prepared sounds: any WAV gives the samples it holds, at one rate, of one length."""

import io

import numpy as np
import pytest
import soundfile
from prepared import prepared, refusal
from scipy import signal

from halocline.data.headers import look_at
from halocline.inputs.description import SoundInput
from halocline.inputs.resample import _phases, resample

RATE_HZ = 8000
WAVE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
PLAIN = SoundInput(RATE_HZ, 1.0, feature="waveform")


def wav(samples, subtype="PCM_16", rate_hz=RATE_HZ, form="WAV"):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, subtype, format=form)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-24),
        ("FLOAT", 0),
        ("DOUBLE", 0),
    ],
)
def test_every_depth_of_wav_is_full_scale_one(subtype, step):
    row = prepared(PLAIN, wav(WAVE, subtype))
    assert (row.dtype, row.shape) == (np.float32, (RATE_HZ,))
    assert np.abs(row - WAVE).max() <= step


def test_bytes_a_path_samples_and_samples_with_their_rate_are_the_same_sound(tmp_path):
    whole = np.round(WAVE * 32768).astype(np.int16)
    data = wav(whole)
    (tmp_path / "tone.wav").write_bytes(data)
    first = prepared(PLAIN, data)
    for sample in (tmp_path / "tone.wav", whole, whole[:, None], (whole, RATE_HZ), first, (first, RATE_HZ)):
        assert np.array_equal(prepared(PLAIN, sample), first)


def test_stereo_is_the_mean_of_its_channels():
    both = np.stack([WAVE, -0.5 * WAVE], axis=1)
    assert np.allclose(prepared(PLAIN, wav(both, "FLOAT")), 0.25 * WAVE, atol=1e-7)
    assert np.allclose(prepared(PLAIN, both), 0.25 * WAVE, atol=1e-7)


def test_a_short_sound_is_filled_with_silence_and_a_long_one_cut():
    assert np.array_equal(prepared(PLAIN, WAVE[:100]), np.pad(WAVE[:100], (0, RATE_HZ - 100)))
    assert np.array_equal(prepared(PLAIN, np.concatenate([WAVE, WAVE])), WAVE)


@pytest.mark.parametrize(
    ("rate_hz", "wanted_hz"), [(44_100, 16_000), (8_000, 16_000), (22_050, 8_000), (7, 5)]
)
def test_resampling_is_the_filter_that_it_says(rate_hz, wanted_hz):
    # The same filter run by scipy: upsampled by zeros, filtered as a whole, every so many kept.
    common = int(np.gcd(rate_hz, wanted_hz))
    up, down = wanted_hz // common, rate_hz // common
    taps, reach = _phases(up, down)
    prototype = np.zeros(2 * reach * up + 1)  # at steps of 1 / up of an input
    for phase in range(up):
        prototype[up - phase : len(prototype) : up] = taps[phase, 1:]
    prototype[0] = taps[0, 0]
    wave = np.random.default_rng(0).standard_normal(3000)
    theirs = signal.upfirdn(prototype, wave, up)[reach * up :: down]
    ours = resample(wave, rate_hz, wanted_hz)
    assert len(ours) == -(-len(wave) * up // down)
    assert np.allclose(ours, theirs[: len(ours)], atol=1e-12)


@pytest.mark.parametrize(("rate_hz", "wanted_hz"), [(44_100, 16_000), (8_000, 16_000), (11_025, 8_000)])
def test_resampling_keeps_tones_and_lets_none_fold_back(rate_hz, wanted_hz):
    nyquist = min(rate_hz, wanted_hz) / 2
    inner = slice(wanted_hz // 4, -wanted_hz // 4)

    def tone(hz, rate):
        return np.sin(2 * np.pi * hz * np.arange(rate) / rate)

    for share in (0.05, 0.5, 0.9):
        error = resample(tone(share * nyquist, rate_hz), rate_hz, wanted_hz) - tone(
            share * nyquist, wanted_hz
        )
        assert np.abs(error[inner]).max() < 1e-4  # 0.001 dB
    for share in (1.0, 1.1, 1.3) if rate_hz > wanted_hz else ():
        folded = resample(tone(share * nyquist, rate_hz), rate_hz, wanted_hz)
        assert 20 * np.log10(np.abs(folded[inner]).max()) < -90


def test_a_sound_is_the_same_whether_its_rest_was_read_or_not():
    long = np.random.default_rng(0).standard_normal(44_100 * 3).astype(np.float32) * 0.1
    whole = resample(long.astype(np.float64), 44_100, RATE_HZ)[:RATE_HZ]
    for sample in ((long, 44_100), wav(long, "FLOAT", 44_100)):
        assert np.allclose(prepared(PLAIN, sample), whole, atol=1e-7)


def test_layouts_are_axes_moved():
    told = {"rate_hz": RATE_HZ, "seconds": 0.5, "n_fft": 256, "hop": 100, "mels": 20}
    first = prepared(SoundInput(**told), WAVE)
    assert first.shape == (20, 41)
    assert np.array_equal(prepared(SoundInput(**told, layout="tm"), WAVE), first.T)
    assert np.array_equal(prepared(SoundInput(**told, layout="1mt"), WAVE)[0], first)
    assert np.array_equal(prepared(SoundInput(**told, layout="tm1"), WAVE)[..., 0], first.T)
    assert prepared(SoundInput(RATE_HZ, 0.5, feature="waveform", layout="1t"), WAVE).shape == (1, 4000)


def test_mean_and_std_are_for_each_mel_band():
    told = {"rate_hz": RATE_HZ, "seconds": 0.5, "n_fft": 256, "hop": 100, "mels": 3}
    plain = prepared(SoundInput(**told), WAVE)
    scaled = prepared(SoundInput(**told, mean=(1, 2, 3), std=(2, 4, 8)), WAVE)
    assert np.allclose(scaled, (plain - [[1], [2], [3]]) / [[2], [4], [8]], atol=1e-5)


def test_a_tone_is_heard_in_its_own_band_and_silence_is_the_floor():
    # 20 bands up to 1 kHz, where the scale is straight: the edges lie 1000 / 21 Hz apart.
    told = SoundInput(RATE_HZ, 1.0, n_fft=1024, hop=128, mels=20, high_hz=1000, log="db", floor=1e-8)
    assert set(prepared(told, WAVE)[:, 10:-10].argmax(axis=0)) == {round(440 / (1000 / 21)) - 1}
    assert (prepared(told, np.zeros(10, np.float32)) == -80).all()


def test_damaged_and_empty_sounds_say_what_they_are(tmp_path):
    data = wav(WAVE)
    (tmp_path / "cut.wav").write_bytes(data[:20])
    for sample, code, says in (
        (b"", "HAL-313", "no bytes"),
        (data[:20], "HAL-313", "a WAV sound"),
        (tmp_path / "cut.wav", "HAL-313", "cut.wav: "),
        (b"\xff\xd8\xff\xe0" + bytes(50), "HAL-313", "a JPEG picture"),
        (bytes(300), "HAL-313", "300 bytes"),
        (wav(np.zeros(0, np.float32)), "HAL-314", "no samples"),
        (tmp_path / "no.wav", "HAL-316", "does not exist"),
        (np.zeros(0, np.float32), "HAL-314", "empty"),
        (np.array([0.1, np.nan], np.float32), "HAL-315", "frame 1"),
        (WAVE.reshape(2, -1), "HAL-310", "x.T"),
        (WAVE.reshape(2, 2, -1), "HAL-310", "[frames, channels]"),
        ((WAVE, 0), "HAL-310", "rate"),
        ((WAVE, 8000.5), "HAL-310", "rate"),
        (None, "HAL-310", "NoneType"),
    ):
        seen, message = refusal(PLAIN, sample)
        assert seen == code, message
        assert says in message


def test_a_wav_whose_end_is_missing_is_refused_with_what_it_announces_and_what_is_there(tmp_path):
    data = wav(WAVE)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(data[:-6000])
    for sample, there in ((data[:-6000], 10_000), (data[:-2], 15_998), (cut, 10_000)):
        code, message = refusal(PLAIN, sample)
        assert code == "HAL-313"
        assert f"announces 16000 bytes, {there} are there" in message
    assert "cut.wav" in refusal(PLAIN, cut)[1]


@pytest.mark.parametrize(
    ("riff", "length"),
    [
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x7FFFF024, 0x7FFFF000),
        (0, 0),
        (36, 0),
        (0xFFFFFFFF, 0),
        (None, 0xFFFFFFFF),
    ],
)
def test_a_sound_that_streams_without_a_known_length_is_taken_as_it_is(riff, length):
    data = bytearray(wav(WAVE))
    if riff is not None:
        data[4:8] = riff.to_bytes(4, "little")
    data[40:44] = length.to_bytes(4, "little")
    np.testing.assert_array_equal(prepared(PLAIN, bytes(data)), prepared(PLAIN, wav(WAVE)))
    assert look_at(io.BytesIO(data)) == look_at(io.BytesIO(wav(WAVE)))


def test_chunks_behind_an_empty_sound_are_no_sound():
    data = bytearray(wav(np.zeros(0, np.float32))) + b"LIST" + (8).to_bytes(4, "little") + b"INFOabcd"
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    assert refusal(PLAIN, bytes(data)) == ("HAL-314", "a sound that holds no samples")


def test_mel_bands_too_narrow_for_a_bin_are_silent_and_no_error():
    told = SoundInput(RATE_HZ, 0.1, n_fft=64, hop=64, mels=60, floor=1e-6)
    bands = prepared(told, np.random.default_rng(0).standard_normal(800).astype(np.float32))
    silent = (bands == np.float32(np.log(1e-6))).all(axis=1)
    assert silent.any()
    assert not silent.all()
    nothing = SoundInput(RATE_HZ, 0.1, n_fft=64, hop=64, mels=3, low_hz=130, high_hz=200)
    assert (prepared(nothing, WAVE) == np.float32(np.log(1e-10))).all()


@pytest.mark.parametrize("rate_hz", [2**32 - 1, 383_999, 44_101_001])
def test_a_rate_that_would_need_a_filter_without_end_is_refused(rate_hz):
    code, message = refusal(SoundInput(16_000, 0.1, feature="waveform"), (WAVE, rate_hz))
    assert code == "HAL-310"
    assert "usual rate" in message
    assert refusal(SoundInput(16_000, 0.1), wav(WAVE[:50], rate_hz=2**31 - 1))[0] == "HAL-310"


def test_a_rate_that_is_odd_is_resampled_all_the_same():
    odd = prepared(SoundInput(8000, 0.5, feature="waveform"), (WAVE, 8001))
    slower = 0.5 * np.sin(2 * np.pi * 440 * 8001 / 8000 * np.arange(4000) / 8000)
    assert np.abs(odd - slower)[500:-500].max() < 1e-4
