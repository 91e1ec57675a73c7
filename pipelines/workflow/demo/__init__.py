"""A model -> a page on this machine that predicts what is typed or dropped into it.

1. open_model     RUN, folder or Hub id      -> Predictor, as `graft predict` has it
2. fields         Predictor                  -> inputs of the page, by role
3. example_rows   predictions of a run       -> examples for these inputs
4. answers        one input, Predictor       -> what each output of the page shows
5. page           all of these               -> a page of gradio
6. server         the page                   -> served on localhost until Ctrl-C

gradio is imported by `page` and `server` alone.
"""
