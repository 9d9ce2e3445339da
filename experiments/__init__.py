"""Runs: recipes, the command line, run folders, statistics and reports.

The files stand in groups; a group imports from itself and from those below it.

    command line        cli, command_*, gallery
    exploration bench   exploration_*
    other benches       bench_*, verdicts
    judges              judge_*
    pretraining         pretrain, pretrain_*
    a study             studies, study, study_*
    runs that are done  compare, rescore, rescore_options, room_to_choose, hinted_reasons
    a run               train, recipes, problems, progress, evaluate, variants, canary_check, report
    a run's folder      run_folder, round_row, surroundings, stored_rollouts
    shared              rows, stats, markdown, plots, page, terminal
"""
