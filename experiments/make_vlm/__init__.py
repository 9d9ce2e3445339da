"""A vision-language model from a language model: ``mstar make-vlm``.

``assemble`` puts an untrained image tower in front of a language model, in the form of SmolVLM;
``perception`` asks what is in images, and ``train`` teaches the model to answer that and nothing
else; ``language`` looks whether it still speaks; ``make`` does all of it in order.
"""
