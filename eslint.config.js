import tseslint from 'typescript-eslint';

// biome formats and catches the cheap mistakes; these are the rules that need types.
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', '*.js'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      // Typed arrays in loops whose head states why the index is in range.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
