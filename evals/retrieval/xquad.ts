import { type Published } from '../../bench/published.ts';

/** XQuAD's English part (Artetxe, Ruder and Yogatama 2020), CC BY-SA 4.0: 240 paragraphs of 48 articles, 1,190 questions. */
export const XQUAD: Published = {
  url: 'https://raw.githubusercontent.com/google-deepmind/xquad/7d30520c717524000f0d9d2f9c10a069acd9d285/xquad.en.json',
  sha256: 'e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29',
  command: 'make retrieval-eval',
};
