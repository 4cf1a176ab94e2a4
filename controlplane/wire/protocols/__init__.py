"""The codecs of the AWS protocols: `*_input` turn a request into Python values, `*_output` a result into a response."""
