"""The tiny tokenizer knows the captions' words, and survives others."""

from transformers import CLIPTokenizer

from spa2v_lab.training.text import new_text_encoder, new_tokenizer, tokenize
from spa2v_lib.layout.captions import video_caption
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES


def test_every_caption_word_is_one_token():
    tokenizer = new_tokenizer()
    for label in CLASSES:
        for background in BACKGROUNDS:
            caption = video_caption([(label, "right_crossing")], background)
            assert len(tokenizer.tokenize(caption)) == len(caption.split())


def test_unknown_words_become_letters_not_the_unknown_token():
    tokens = new_tokenizer().tokenize("zebra")
    assert "".join(tokens).replace("</w>", "") == "zebra"


def test_long_captions_are_cut_to_the_encoders_length():
    tokenizer = new_tokenizer()
    ids = tokenize(tokenizer, ["a bus " * 500, ""])
    encoder = new_text_encoder(tokenizer)
    assert encoder(ids).last_hidden_state.shape == (2, tokenizer.model_max_length, 128)


def test_the_tokenizer_survives_saving(tmp_path):
    tokenizer = new_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    captions = ["a ship sails from left to right on the blue sea"]
    assert tokenize(tokenizer, captions).tolist() == tokenize(again, captions).tolist()
