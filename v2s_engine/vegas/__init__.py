"""VEGAS: from AudioSet to a clean audio-visual data set, as "Visual to Sound" made it (section 3 of the paper).

select ─> fetch ─> segment ─> annotate ─> aggregate ─> build ─> stats
                all that is known lies in one SQLite file, see `v2s_engine.vegas.store`
"""
